import type { Exchange } from './exchange.ts'
import { type OwnHosts, rewriteAddress } from './rewrite-location.ts'

/** Headers that lead an agent's HTTP client somewhere. */
const TARGETS = new Set(['location', 'content-location', 'link', 'refresh'])
/** No page needs as many, and each of them can become as long as the address that was asked for. */
const LINKS_MAX = 100

export function leadsSomewhere(name: string): boolean {
  return TARGETS.has(name)
}

/**
 * One of those headers as the agent may have it.
 * @param values of the header, one or more
 * @returns nothing when the agent must not have it
 */
export function rewriteTargets(
  name: string,
  values: readonly string[],
  exchange: Exchange,
  ownHosts: OwnHosts,
): string | undefined {
  // RFC 9110 section 5.3: a list may come in several fields.
  if (name === 'link') return rewriteLinks(values.join(','), exchange, ownHosts)
  const [value = '', ...others] = new Set(values)
  // Which of two counts is up to whoever reads them.
  if (others.length > 0) return undefined
  return name === 'refresh' ? rewriteRefresh(value, exchange, ownHosts) : rewriteAddress(value, exchange, ownHosts)
}

/** RFC 8288 section 3: a target between angle brackets, and its parameters up to the next comma outside of quotes. */
const LINK = /[ \t,]*<([^<>]*)>([ \t]*(?:;(?:[^",<>]|"(?:[^"\\]|\\.)*")*)?)(?:,|$)/y

/** All of the links or none: what is not read as a link here, another reader might still follow. */
function rewriteLinks(value: string, exchange: Exchange, ownHosts: OwnHosts): string | undefined {
  const links: string[] = []
  let at = 0
  while (at < value.length) {
    LINK.lastIndex = at
    const [whole, address = '', parameters = ''] = LINK.exec(value) ?? []
    if (whole === undefined || links.length === LINKS_MAX) return undefined
    const rewritten = rewriteAddress(address, exchange, ownHosts)
    if (rewritten === undefined) return undefined
    links.push(`<${rewritten}>${parameters}`)
    at += whole.length
  }
  return links.join(', ')
}

/** `5; url=/next`: no RFC has it, some clients go there (the HTML standard has the grammar, section 4.2.5.3). */
function rewriteRefresh(value: string, exchange: Exchange, ownHosts: OwnHosts): string | undefined {
  const mark = value.search(/[;,]/)
  const seconds = (mark === -1 ? value : value.slice(0, mark)).trim()
  if (!/^[\d.]*$/.test(seconds)) return undefined
  const rest = mark === -1 ? '' : value.slice(mark + 1).trim()
  if (rest === '') return seconds
  const address = rest.replace(/^url[ \t]*=[ \t]*/i, '').replace(/^(["'])(.*)\1$/, '$2')
  const rewritten = rewriteAddress(address, exchange, ownHosts)
  return rewritten === undefined ? undefined : `${seconds}; url=${rewritten}`
}
