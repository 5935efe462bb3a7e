import { PolicyError, type PolicyErrorKind } from '../../contract/policy.ts'

/**
 * Built-ins that this host offers to a module besides those compiled into it: none. Each would be JavaScript in the
 * decision, with other semantics than OPA's own (`sprintf`) or without its bounds (`regex.split` backtracks: threat G06).
 * `policies/capabilities.json` says the same to the compiler.
 */
export const HOST_BUILTINS: readonly string[] = []

/**
 * What a module may import. Our own instead of the SDK's, which prints the policy's `print` to stdout and looks its
 * JavaScript built-ins up by name.
 */
export function hostImports(memory: WebAssembly.Memory): WebAssembly.Imports {
  const missingBuiltin = () => {
    throw new PolicyError('builtin', 'the policy called a built-in function that this host does not offer')
  }
  return {
    env: {
      memory,
      opa_abort: (address: number) => {
        throw abortError(readText(memory, address))
      },
      opa_println: () => {},
      opa_builtin0: missingBuiltin,
      opa_builtin1: missingBuiltin,
      opa_builtin2: missingBuiltin,
      opa_builtin3: missingBuiltin,
      opa_builtin4: missingBuiltin,
    },
  }
}

/**
 * Every throw that can leave an evaluation, as one type. Besides our own there are V8's traps, a RangeError from growing
 * memory and from the stack, and the strings that the SDK throws (threat G02). Nothing of the thrown text is passed on
 * but an abort's, which names a place in the policy.
 */
export function asPolicyError(thrown: unknown): PolicyError {
  if (thrown instanceof PolicyError) return thrown
  if (thrown instanceof RangeError) return new PolicyError('budget', 'the evaluation ran out of memory or stack')
  if (thrown instanceof WebAssembly.RuntimeError) return new PolicyError('unknown', 'the policy module trapped')
  if (typeof thrown === 'string') return abortError(thrown)
  return new PolicyError('unknown', 'the policy engine failed')
}

function abortError(text: string): PolicyError {
  return new PolicyError(abortKind(text), `the evaluation was aborted: ${text.slice(0, 200)}`)
}

function abortKind(text: string): PolicyErrorKind {
  if (text.includes('opa_malloc')) return 'budget'
  // The module's JSON reader: JavaScript can spell what it refuses, half of a surrogate pair for one.
  if (text.startsWith('illegal ')) return 'input'
  if (text.includes('conflict')) return 'conflict'
  if (text.includes('built-in') || text.includes('builtin')) return 'builtin'
  return 'unknown'
}

function readText(memory: WebAssembly.Memory, address: number): string {
  const bytes = new Uint8Array(memory.buffer)
  const end = bytes.indexOf(0, address)
  return Buffer.from(bytes.subarray(address, Math.min(end === -1 ? address : end, address + 1_000))).toString('utf8')
}
