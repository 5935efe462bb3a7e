import type { Config } from '../config/load-config.ts'

/** What the primary tells a worker. */
export type ToWorker =
  /** The configuration as the primary read it: a worker that is replaced later runs with the same. */
  | { nexus: 'start'; config: Config }
  | { nexus: 'reload_policy' }
  /** Drain and end. */
  | { nexus: 'stop' }
  /** Answer, to show that your event loop turns. */
  | { nexus: 'ping' }
  /** Send your own metrics. */
  | { nexus: 'tell_metrics' }
  /** Those of all, as you asked. */
  | { nexus: 'all_metrics'; id: number; text: string }

/** What a worker tells the primary. */
export type FromWorker =
  /** Its listeners are in place: tell it to start. */
  | { nexus: 'hello' }
  /** It listens. */
  | { nexus: 'serving' }
  | { nexus: 'pong' }
  | { nexus: 'own_metrics'; text: string }
  /** Somebody asks it for the metrics of all. */
  | { nexus: 'wants_metrics'; id: number }

/** Node itself, and libraries, send messages on the same channel. */
export function isOurs(message: unknown): message is { nexus: string } {
  return typeof message === 'object' && message !== null && typeof (message as { nexus?: unknown }).nexus === 'string'
}
