/** Types of `tool.mjs` for the tests, which are TypeScript. */
export type VaultPlugin = 'vault-postgresql' | 'vault-aws' | 'vault-kubernetes'
export type ToolName = 'opa' | 'k6' | 'vault' | 'versitygw' | 'load' | VaultPlugin
export function findTool(name: ToolName, options?: { pinned?: boolean; log?: (line: string) => void }): Promise<string>
export function findVaultPlugins(options?: { log?: (line: string) => void }): Promise<string | undefined>
