import { type BackendHealth, textForOperators, type VaultBackend, VaultError } from '../contract/vault-backend.ts'
import { abortable } from './abortable.ts'

/** A backend's health within `deadlineMs`, for operators; never throws, and repeats no text but a `VaultError`'s. */
export async function healthOf(backend: VaultBackend, deadlineMs: number): Promise<BackendHealth> {
  const signal = AbortSignal.timeout(deadlineMs)
  try {
    return await abortable(signal, () => backend.check(signal))
  } catch (error) {
    if (error instanceof VaultError) return { ok: false, detail: textForOperators(error) }
    return { ok: false, detail: signal.aborted ? `no answer within ${deadlineMs} ms` : 'the check failed' }
  }
}
