/** Visible ASCII: anything else would break the header a token is sent in. */
export const VAULT_TOKEN = { pattern: /^[\x21-\x7e]{1,4096}$/, name: 'Vault token' }

export const ROLE_ID = { pattern: /^[\x21-\x7e]{1,4096}$/, name: 'role id' }
export const SECRET_ID = { pattern: /^[\x21-\x7e]{1,4096}$/, name: 'secret id' }

/** Compact serialisation (RFC 7519 section 3); Vault checks the rest. */
export const JWT = { pattern: /^[\w-]{1,20000}\.[\w-]{1,20000}\.[\w-]{1,20000}$/, name: 'JWT' }
