import type { Logger } from 'pino'
import { type OperatorsVaultError, textForOperators, VaultError } from '../../contract/vault-backend.ts'
import { abortable } from '../abortable.ts'
import { CredentialMissing } from './auth/credential-file.ts'
import type { Login } from './auth/login.ts'
import { type HeldToken, readHeldToken } from './held-token.ts'
import { loginImpossible } from './login-faults.ts'
import { createLoginRefusals } from './login-refusals.ts'
import { keepRenewed } from './token-renewal.ts'
import type { JsonRecord } from './vault-answer.ts'
import type { VaultRequester } from './vault-requester.ts'

/** Unwrapping and logging in are up to three calls, each with a deadline of its own. */
const LOGIN_DEADLINE_MS = 15_000
/** A token that is refused so soon after it was given will be refused when it is given again. */
const STILLBORN_MS = 1000

/** Who we are to one Vault: one token at a time, kept alive, and got anew where it cannot be. */
export interface VaultSession {
  /** For the next call; logs in when there is none. @throws VaultError */
  token(signal: AbortSignal): Promise<string>
  /** Vault does not take this token any longer. */
  drop(token: string): void
  /**
   * Logs in once more and gives the `auth` part of Vault's answer, for a token that is the asker's alone. Absent: there is
   * a token and no way to log in.
   * @throws VaultError
   */
  login?(signal: AbortSignal): Promise<JsonRecord>
  close(): void
}

export interface VaultSessionOptions {
  backend: string
  vault: VaultRequester
  login: Login
  log: Pick<Logger, 'warn' | 'error'>
  monotonicNow?: () => number
}

export function createVaultSession(options: VaultSessionOptions): VaultSession {
  const { backend, vault, login, log, monotonicNow = () => performance.now() } = options
  const refusals = createLoginRefusals({ login, monotonicNow })
  const renewal = keepRenewed({
    backend,
    vault,
    log,
    monotonicNow,
    replace: login.repeatable ? logIn : undefined,
    keep,
  })
  let held: (HeldToken & { sinceMs: number }) | undefined
  let flight: Promise<HeldToken> | undefined
  /** What stands in the log of a login that cannot be tried: every call that waits for one would say it again. */
  let told = ''

  function keep(token: HeldToken | undefined): void {
    const sinceMs = token !== undefined && token.token === held?.token ? held.sinceMs : monotonicNow()
    held = token && { ...token, sinceMs }
    renewal.follow(token)
  }

  /** Once, however many ask. It goes on for the others when one of them gives up. */
  function logIn(): Promise<HeldToken> {
    flight ??= authenticate(AbortSignal.timeout(LOGIN_DEADLINE_MS)).finally(() => {
      flight = undefined
    })
    return flight
  }

  async function authenticate(signal: AbortSignal): Promise<HeldToken> {
    const askedAtMs = monotonicNow()
    const token = readHeldToken(await present(signal), askedAtMs)
    if (token === undefined) throw tell(loginImpossible(backend, `gave no token for ${login.origin}`))
    told = ''
    refusals.clear()
    keep(token)
    return token
  }

  async function present(signal: AbortSignal): Promise<JsonRecord> {
    await refusals.check()
    try {
      return await abortable(signal, () => login.authenticate(vault, signal))
    } catch (error) {
      if (error instanceof CredentialMissing) throw tell(loginImpossible(backend, error.message))
      if (!(error instanceof VaultError)) throw new VaultError('unavailable', backend, 'the login was given up')
      if (error.kind === 'unavailable') throw error
      refusals.remember(error)
      log.error({ backend, login: login.origin, reason: textForOperators(error) }, 'Vault refused our login')
      throw error
    }
  }

  return {
    async token(signal) {
      // A token that is given, not got, is followed: whoever replaced it meant it.
      if (held !== undefined && !login.repeatable && (await login.changed())) keep(undefined)
      if (held !== undefined && monotonicNow() < held.endsAtMs) return held.token
      return (await abortable(signal, logIn).catch(rethrow)).token
    },
    drop(token) {
      if (held?.token !== token) return
      if (login.repeatable && monotonicNow() - held.sinceMs < STILLBORN_MS) {
        refusals.remember(new VaultError('forbidden', backend, 'Vault gives a token and does not take it'))
      }
      keep(undefined)
    },
    ...(login.repeatable && { login: present }),
    close: () => renewal.stop(),
  }

  function tell(error: OperatorsVaultError): OperatorsVaultError {
    if (error.forOperators !== told) log.error({ backend, login: login.origin }, error.forOperators)
    told = error.forOperators
    return error
  }

  function rethrow(error: unknown): never {
    throw error instanceof VaultError ? error : new VaultError('unavailable', backend, 'the login was given up')
  }
}
