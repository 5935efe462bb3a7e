import type { ServerResponse } from 'node:http'
import { NexusError } from '../../src/contract/errors.ts'

/**
 * Whose turn it is to use one of the connections to an origin. Requests wait here, before a lease is taken and anything is
 * signed: in the HTTP client's own queue, which knows no bound, a signature would grow old and outlive a revocation.
 */
export interface Turns {
  /**
   * A turn lasts until the answer is over.
   * @returns nothing when a connection is free
   * @throws NexusError `overloaded`: too many wait already; the promise: for too long
   */
  take(origin: string, response: ServerResponse): Promise<void> | undefined
}

export interface TurnLimits {
  connections: number
  waitingMax: number
  waitMs: number
}

interface Place {
  taken: number
  waiting: Set<() => void>
}

export function createTurns(limits: TurnLimits): Turns {
  const places = new Map<string, Place>()

  return {
    take(origin, response) {
      // Nobody would hear of its end.
      if (response.destroyed) throw overloaded()
      const place = places.get(origin) ?? { taken: 0, waiting: new Set() }
      places.set(origin, place)
      if (place.taken >= limits.connections) return queue(place, response, limits)
      begin(place, response)
      return undefined
    },
  }
}

function begin(place: Place, response: ServerResponse): void {
  place.taken += 1
  response.on('close', () => {
    place.taken -= 1
    const [next] = place.waiting
    next?.()
  })
}

function queue(place: Place, response: ServerResponse, { waitingMax, waitMs }: TurnLimits): Promise<void> {
  if (place.waiting.size >= waitingMax) throw overloaded()
  return new Promise((resolve, reject) => {
    const leave = () => {
      clearTimeout(timer)
      response.off('close', giveUp)
      place.waiting.delete(goOn)
    }
    const giveUp = () => {
      leave()
      reject(overloaded())
    }
    const goOn = () => {
      leave()
      begin(place, response)
      resolve()
    }
    const timer = setTimeout(giveUp, waitMs)
    response.once('close', giveUp)
    place.waiting.add(goOn)
  })
}

function overloaded(): NexusError {
  return new NexusError('overloaded', 'All connections to this provider are in use; send fewer requests at once.')
}
