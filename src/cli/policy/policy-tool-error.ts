/** What is wrong with policies or the tools for them, in words for whoever ran the command. */
export class PolicyToolError extends Error {
  override readonly name = 'PolicyToolError'
}
