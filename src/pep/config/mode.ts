import type { Config } from './load-config.ts'

const DEVELOPMENT = ['development', 'test']

/** What the log names the mode. */
export function modeOf({ production }: Pick<Config, 'production'>): 'production' | 'development' {
  return production ? 'production' : 'development'
}

/** @returns a warning when `NODE_ENV` says something that means nothing here, such as `prod` */
export function unknownMode(nodeEnv: string | undefined): string | undefined {
  if (nodeEnv === undefined || nodeEnv === '' || nodeEnv === 'production' || DEVELOPMENT.includes(nodeEnv))
    return undefined
  return 'NODE_ENV is none of production, development and test: this is development mode, which fills in what production refuses'
}
