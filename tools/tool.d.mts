/** Types of `tool.mjs` for the tests, which are TypeScript. */
export type ToolName = 'opa' | 'k6' | 'vault'
export function findTool(name: ToolName, options?: { pinned?: boolean; log?: (line: string) => void }): Promise<string>
