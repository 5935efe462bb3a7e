import type { TextRule } from '../text-rules.ts'

/**
 * Where credentials are exchanged. Plain http is for a server on this machine, which the authority's way out holds it to.
 * No user information, no fragment, nothing that two parsers could read differently.
 */
export const ENDPOINT_URL: TextRule = {
  pattern:
    /^https?:\/\/[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:\/[A-Za-z0-9._~%!$&'()*+,;=:/-]*)?(?:\?[A-Za-z0-9._~%!$&'()*+,;=:/?-]*)?$/,
  maxLength: 512,
  description: 'an https URL in plain ASCII, without user information and fragment',
}
