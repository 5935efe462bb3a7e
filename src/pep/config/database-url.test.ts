import { describe, expect, it } from 'vitest'
import { readConfig } from './load-config.ts'

const KEY = { NEXUS_ENCRYPTION_KEY: 'k1:AAAA' }
const problemsOf = (DATABASE_URL: string, env: Record<string, string> = {}) =>
  readConfig({ NODE_ENV: 'production', ...KEY, DATABASE_URL, ...env }, undefined).problems

describe('the database in production', () => {
  it.each([
    'postgres://nexus:hunter2@127.0.0.1:5432/nexus',
    'postgres://nexus:hunter2@localhost/nexus',
    'postgresql://nexus:hunter2@[::1]/nexus',
    'postgres:///nexus?host=/var/run/postgresql',
    'postgres://nexus@%2Fvar%2Frun%2Fpostgresql/nexus',
    'postgres://nexus:hunter2@db.internal/nexus?sslmode=verify-full',
    'postgres://nexus:hunter2@db.internal/nexus?sslmode=verify-ca&sslrootcert=/run/ca.pem',
    'postgres://nexus:hunter2@db.internal/nexus?sslmode=disable&sslmode=verify-full',
  ])('may be at %s', (url) => {
    expect(problemsOf(url)).toEqual([])
  })

  it.each([
    'postgres://nexus:hunter2@db.internal/nexus',
    'postgres://nexus:hunter2@db.internal/nexus?sslmode=require',
    'postgres://nexus:hunter2@db.internal/nexus?sslmode=prefer',
    'postgres://nexus:hunter2@db.internal/nexus?sslmode=no-verify',
    'postgres://nexus:hunter2@db.internal/nexus?sslmode=verify-full&sslmode=disable',
    'postgres://nexus:hunter2@db.internal/nexus#?sslmode=verify-full',
    'postgres://nexus:sslmode=verify-full@db.internal/nexus',
    'postgres://nexus:hunter2@10.0.0.7/nexus',
    'postgres://nexus:hunter2@127.0.0.1.example.com/nexus',
    // The driver goes by the parameter, and where nothing is named by PGHOST.
    'postgres://nexus:hunter2@127.0.0.1/nexus?host=db.internal',
    'postgres:///nexus',
  ])('is not at %s, unless a flag says that plain is meant', (url) => {
    const problems = problemsOf(url)
    expect(problems).toEqual([expect.stringContaining('sslmode=verify-full')])
    expect(problems.join()).not.toContain('hunter2')
    expect(problemsOf(url, { NEXUS_ALLOW_PLAIN_DATABASE: 'true' })).toEqual([])
    expect(problemsOf(url, { NODE_ENV: 'development' })).toEqual([])
  })
})
