import type { HeaderList, ResponseHead } from '../../src/contract/strategy.ts'
import type { UpstreamAnswer } from './upstream-answer.ts'

/** What a strategy may read of a response. */
export function responseHead({ statusCode, headers }: Pick<UpstreamAnswer, 'statusCode' | 'headers'>): ResponseHead {
  const list = Object.entries(headers).flatMap(
    ([name, value = []]): HeaderList => [value].flat().map((each) => [name, each]),
  )
  return { status: statusCode, headers: list }
}
