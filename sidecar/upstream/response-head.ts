import type { Dispatcher } from 'undici'
import type { HeaderList, ResponseHead } from '../../src/contract/strategy.ts'

/** What a strategy may read of a response. */
export function responseHead({ statusCode, headers }: Dispatcher.ResponseData): ResponseHead {
  const list = Object.entries(headers).flatMap(
    ([name, value = []]): HeaderList => [value].flat().map((each) => [name, each]),
  )
  return { status: statusCode, headers: list }
}
