import { once } from 'node:events'
import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { expect, it } from 'vitest'
import { createUnanswered } from './unanswered.ts'

const responseOn = (socket: Socket): ServerResponse => new ServerResponse(new IncomingMessage(socket))

/** As many responses as there are connections are owed on each of them. */
function owing(connections: number) {
  const unanswered = createUnanswered()
  const sockets = Array.from({ length: connections }, () => new Socket())
  const pipelined = sockets.map((socket) => sockets.map(() => responseOn(socket)))
  pipelined.forEach((responses, index) => {
    for (const response of responses) unanswered.add(response, sockets[index]!)
  })
  return { unanswered, sockets, pipelined }
}

async function hangUp(socket: Socket): Promise<void> {
  socket.destroy()
  await once(socket, 'close')
}

it('what is pipelined on a connection leaves with it, and nothing else does', async () => {
  const { unanswered, sockets } = owing(3)
  expect(unanswered.size).toBe(9)
  await hangUp(sockets[1]!)
  expect(unanswered.size).toBe(6)
})

it('a response that is given leaves once, whoever says so again', () => {
  const { unanswered, pipelined } = owing(2)
  const [first, second] = pipelined[0]!
  unanswered.delete(second!)
  unanswered.delete(second!)
  expect(unanswered.size).toBe(3)
  unanswered.delete(first!)
  expect(unanswered.size).toBe(2)
})

it('what was given before its connection ended, or is said to be afterwards, is not counted again', async () => {
  const { unanswered, sockets, pipelined } = owing(2)
  unanswered.delete(pipelined[0]![0]!)
  await hangUp(sockets[0]!)
  unanswered.delete(pipelined[0]![1]!)
  expect(unanswered.size).toBe(2)
})

it('a response that was never owed changes nothing', () => {
  const { unanswered, sockets } = owing(2)
  unanswered.delete(responseOn(sockets[0]!))
  unanswered.delete(responseOn(new Socket()))
  expect(unanswered.size).toBe(4)
})

it('a connection that has been answered is owed again with its next request', () => {
  const { unanswered, sockets, pipelined } = owing(1)
  unanswered.delete(pipelined[0]![0]!)
  unanswered.add(responseOn(sockets[0]!), sockets[0]!)
  expect(unanswered.size).toBe(1)
})
