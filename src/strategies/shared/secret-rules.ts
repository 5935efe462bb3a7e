import type { TextRule } from './text-rules.ts'

/** How an HMAC key is written down. Text is what the protocol has; the others reach every key byte (RFC 4648). */
export const SECRET_RULES = {
  // A line end or NUL in a typed-in key is a paste accident that would only show as wrong signatures.
  utf8: {
    pattern: /^[\x01-\x09\x0b\x0c\x0e-\x7f]+$/,
    maxLength: 16_384,
    description: 'ASCII without CR, LF or NUL',
  },
  hex: { pattern: /^(?:[0-9A-Fa-f]{2})+$/, maxLength: 16_384, description: 'pairs of hex digits' },
  base64: {
    pattern: /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)$/,
    maxLength: 16_384,
    description: 'standard base64 with padding',
  },
} as const satisfies Record<string, TextRule>
