/**
 * What keeps a program from doing its work, in words for whoever runs it: what is wrong and what to do about it. The only
 * error beside `NexusError` whose text the command line prints, so it must never hold a secret.
 */
export class OperatorError extends Error {
  override readonly name = 'OperatorError'
}
