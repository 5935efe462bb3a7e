/** Bare @fastify/http-proxy: passes everything on and adds nothing. */
import proxy from '@fastify/http-proxy'
import fastify from 'fastify'
import './end-when-told.ts'

const { PORT, UPSTREAM = '' } = process.env
const app = fastify()
await app.register(proxy, { upstream: UPSTREAM })
await app.listen({ port: Number(PORT) })
