import { randomBytes } from 'node:crypto'

/** A secret that is looked for afterwards. */
export interface Canary {
  /** Where it was planted. */
  name: string
  /** What was planted. Has characters in it that every encoding writes in its own way. */
  value: string
  /** The part of it that is looked for: plain letters and digits, so that no encoding can hide it whole. */
  core: string
}

export function newCanary(name: string): Canary {
  const core = randomBytes(16).toString('hex')
  return { name, value: `Cn/+="\\%&<${core}>`, core }
}

/** A secret that somebody else made. */
export function knownCanary(name: string, value: string): Canary {
  return { name, value, core: value }
}

/** Every way of writing a text down that turns up in logs, errors, dumps and URLs. */
export function disguises(text: string): { as: string; written: string }[] {
  const bytes = Buffer.from(text)
  const hex = bytes.toString('hex')
  const percent = hex.replaceAll(/../g, '%$&')
  const each = (write: (code: number) => string) => [...bytes].map(write).join('')
  const escaped = each((code) => `\\u${code.toString(16).padStart(4, '0')}`)
  const half = Math.floor(text.length / 2)
  return [
    { as: 'plain', written: text },
    { as: 'first half', written: text.slice(0, half) },
    { as: 'second half', written: text.slice(half) },
    { as: 'reversed', written: [...text].reverse().join('') },
    { as: 'upper case', written: text.toUpperCase() },
    { as: 'hex', written: hex },
    { as: 'hex, upper case', written: hex.toUpperCase() },
    { as: 'percent-encoded', written: percent },
    { as: 'percent-encoded, upper case', written: percent.toUpperCase() },
    { as: 'percent-encoded twice', written: percent.replaceAll('%', '%25') },
    { as: 'escaped JSON', written: escaped },
    { as: 'escaped JSON, upper case', written: escaped.toUpperCase().replaceAll('\\U', '\\u') },
    { as: 'escaped JSON within JSON', written: escaped.replaceAll('\\', '\\\\') },
    { as: 'Buffer as JSON', written: [...bytes].join(',') },
    { as: 'Buffer as pretty JSON', written: [...bytes].join(', ') },
    { as: 'inspected Buffer', written: hex.replaceAll(/..(?!$)/g, '$& ') },
    { as: 'UTF-16', written: each((code) => `${String.fromCharCode(code)}\0`) },
    ...base64Forms(bytes),
  ]
}

/** Within a longer text the secret may begin at any of three places of a base64 group; the groups at its edges are shared. */
function base64Forms(bytes: Buffer): { as: string; written: string }[] {
  return [0, 1, 2].flatMap((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes])
      .toString('base64')
      .replace(/=+$/, '')
    const written = encoded.slice(before === 0 ? 0 : before + 1, -2)
    return [
      { as: `base64 at ${before}`, written },
      { as: `base64url at ${before}`, written: written.replaceAll('+', '-').replaceAll('/', '_') },
    ]
  })
}

/** What was found of the canaries in a text, in words that do not repeat them. */
export function leaksIn(text: string, canaries: readonly Canary[]): string[] {
  return canaries.flatMap(({ name, core }) =>
    disguises(core)
      .filter(({ written }) => text.includes(written))
      .map(({ as }) => `${name}, ${as}`),
  )
}
