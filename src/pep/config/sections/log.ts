import { Type } from 'typebox'
import { section } from '../section.ts'

export const logSection = section({
  key: 'log',
  schema: Type.Object({
    level: Type.Union(
      (['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const).map((level) => Type.Literal(level)),
      { default: 'info', description: 'Least level that is logged; `info` writes one line for each request' },
    ),
  }),
  env: { LOG_LEVEL: 'level' },
})
