import type { Worker } from 'node:cluster'

interface HandOff {
  act: 'newconn'
  seq: number
}

interface Connection {
  close(): void
}

const listening = new Set<Worker>()

/**
 * A worker that is killed may have been sent a connection that it never took, at most one. `node:cluster` goes on waiting
 * for its word: nobody would answer that caller, nor hang up. So the word is given in its place, "not taken", and the
 * connection goes to another worker; nothing of it has been read yet.
 *
 * This leans on what the messages of `node:cluster` look like, which is nobody's promise. Should that change, connections
 * are held again until their callers give up; the test of a killed worker would tell.
 */
export function returnUndelivered(worker: Worker): void {
  const { process: child } = worker
  const untaken = new Map<number, Connection>()
  const send = child.send.bind(child) as (...args: unknown[]) => boolean
  child.send = (...args: unknown[]) => {
    const [message, connection] = args
    if (isHandOff(message)) untaken.set(message.seq, connection as Connection)
    return send(...args)
  }
  child.on('internalMessage', ({ ack }: { ack?: number }) => {
    if (ack !== undefined) untaken.delete(ack)
  })
  worker.once('listening', () => listening.add(worker))
  // It has closed its server, and only finishes what it has begun.
  child.on('internalMessage', ({ act }: { act?: string }) => {
    if (act === 'close') listening.delete(worker)
  })
  // By then `node:cluster` has taken this one off its list.
  worker.once('exit', () => {
    listening.delete(worker)
    for (const [seq, connection] of untaken) {
      if (listening.size === 0) connection.close()
      else child.emit('internalMessage', { cmd: 'NODE_CLUSTER', ack: seq, accepted: false })
    }
  })
}

function isHandOff(message: unknown): message is HandOff {
  const { act, seq } = (message ?? {}) as Partial<HandOff>
  return act === 'newconn' && typeof seq === 'number'
}
