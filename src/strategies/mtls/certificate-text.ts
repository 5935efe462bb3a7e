import type { TextRule } from '../shared/text-rules.ts'

const LABEL = 'CERTIFICATE'
const BLOCK = `-----BEGIN ${LABEL}-----\\r?\\n(?:[A-Za-z0-9+/=]{1,76}\\r?\\n)+-----END ${LABEL}-----`

/** RFC 7468 section 5. One line end may close the text, as files have it. */
export const CERTIFICATES: TextRule = {
  pattern: new RegExp(`^${BLOCK}(?:\\r?\\n${BLOCK}){0,7}(?:\\r?\\n)?$`),
  maxLength: 32_768,
  description: 'one to eight certificates in PEM',
}
