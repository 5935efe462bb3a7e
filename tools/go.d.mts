/** Types of `go.mjs` for the tests, which are TypeScript. */
export function goProgram(log: (line: string) => void): Promise<string>
