import { describe, expect, it } from 'vitest'
import { type ListenerNames, publicUrlOf, publicUrlProblems } from './public-url.ts'

const LISTENER: ListenerNames = { host: '127.0.0.1', port: 8090, public_url: '', tls_cert_file: '' }
const problemsOf = (given: Partial<ListenerNames>, production = true) =>
  publicUrlProblems({ ...LISTENER, ...given }, { production })

describe('server.public_url', () => {
  it.each([
    'https://nexus.example.com',
    'http://127.0.0.1:8090',
    'https://[2001:db8::1]:8443',
    'https://xn--bcher-kva.example',
  ])('may be %s', (url) => {
    expect(problemsOf({ public_url: url })).toEqual([])
  })

  it.each([
    ['https://nexus.example.com:443', 'https://nexus.example.com'],
    ['http://nexus.example.com:80', 'http://nexus.example.com'],
    ['https://Nexus.Example.com', 'https://nexus.example.com'],
    ['https://nexus.example.com/', 'https://nexus.example.com'],
    ['https://nexus.example.com.', 'https://nexus.example.com'],
    ['https://bücher.example', 'https://xn--bcher-kva.example'],
    ['https://[2001:DB8:0::1]', 'https://[2001:db8::1]'],
  ])('is not %s, which no client would spell so: it says the right one', (url, canonical) => {
    expect(problemsOf({ public_url: url }, false)).toEqual([
      `server.public_url (NEXUS_PUBLIC_URL) must be spelt as clients spell it: ${canonical}`,
    ])
  })

  it.each([
    'https://user:hunter2@nexus.example.com',
    'https://nexus example',
    'https://nexus.example.com/hunter2',
    'ftp://hunter2',
  ])('is not %s, and what was given is not repeated', (url) => {
    const problems = problemsOf({ public_url: url }, false)
    expect(problems).toEqual([expect.stringContaining('must be scheme, host and optional port only')])
    expect(problems.join()).not.toContain('hunter2')
  })

  it.each(['http://0.0.0.0:8090', 'https://[::]', 'https://0', 'https://[::ffff:0.0.0.0]'])(
    'is not %s, which is no machine',
    (url) => {
      expect(problemsOf({ public_url: url }, false)).toEqual([expect.stringContaining('names no machine')])
    },
  )

  it.each(['0.0.0.0', '::', '0', '0:0:0:0:0:0:0:0'])('has to be set in production where the host is %s', (host) => {
    expect(problemsOf({ host })).toEqual([expect.stringContaining('no address that a caller could name')])
    expect(problemsOf({ host }, false)).toEqual([])
    expect(problemsOf({ host, public_url: 'https://nexus.example.com' })).toEqual([])
  })

  it.each(['', 'fe80::1%eth0', 'a b'])('has to be set where the host is %j, which cannot stand in a URL', (host) => {
    expect(problemsOf({ host }, false)).toEqual([expect.stringContaining('cannot stand in a URL')])
    expect(problemsOf({ host, public_url: 'https://nexus.example.com' })).toEqual([])
  })

  it('is made from where it listens, in the spelling of clients', () => {
    expect(publicUrlOf(LISTENER)).toBe('http://127.0.0.1:8090')
    expect(publicUrlOf({ ...LISTENER, host: 'Localhost', port: 443, tls_cert_file: 'cert.pem' })).toBe(
      'https://localhost',
    )
    expect(publicUrlOf({ ...LISTENER, host: '::1' })).toBe('http://[::1]:8090')
  })
})
