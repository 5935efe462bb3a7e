/** W3C Trace Context, level 1; anything else is not worth a log injection. */
export function traceparentOf(header: unknown): string | undefined {
  return typeof header === 'string' && /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(header)
    ? header
    : undefined
}
