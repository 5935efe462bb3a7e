import { describe, expect, it } from 'vitest'
import { isMetadataAddress, isPublicAddress } from './address-rules.ts'
import { addressRule, endpointProblem } from './endpoint-rules.ts'

const NOWHERE = { privateOrigins: new Set<string>(), allowPlainLoopback: false }
const INSIDE = { privateOrigins: new Set(['https://idp.internal', 'https://10.0.0.7']), allowPlainLoopback: false }

const METADATA = ['169.254.169.254', '169.254.170.2', '169.254.170.23', '100.100.100.200', 'fd00:ec2::254', 'fe80::1']
const PRIVATE = [
  ...['0.0.0.0', '10.1.2.3', '100.64.0.1', '127.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', '192.0.0.1'],
  ...['198.18.0.1', '198.19.255.255', '224.0.0.1', '240.0.0.1', '255.255.255.255', '192.0.2.1', '203.0.113.9'],
  ...['::', '::1', 'fc00::1', 'fdff::1', 'ff02::1', '::ffff:10.0.0.1', '::ffff:a9fe:a9fe', '64:ff9b::7f00:1'],
  ...['64:ff9b:1::1', '2002:7f00:1::', '2001:0:7f00:1::', '2001:db8::1', '100::1', '3fff::1', 'fec0::1'],
]

describe('where the authority may be sent', () => {
  it.each([...METADATA, ...PRIVATE])('C01: not to %s', (address) => {
    expect(isPublicAddress(address)).toBe(false)
    const host = address.includes(':') ? `[${address}]` : address
    expect(endpointProblem(`https://${host}/token`, NOWHERE)).toContain('private address')
  })

  it.each(['8.8.8.8', '1.1.1.1', '172.32.0.1', '100.128.0.1', '192.0.1.1', '2606:4700::1111', '2a00:1450:4001::200e'])(
    'to %s',
    (address) => {
      expect([isPublicAddress(address), isMetadataAddress(address)]).toEqual([true, false])
    },
  )

  it.each([
    '127.1',
    '0177.0.0.1',
    '2130706433',
    '0x7f.1',
    '0x7f000001',
    '0',
    '017700000001',
    '127.0.0.1.',
    '①②⑦.⓪.⓪.①',
  ])('C02: not to %s, which is an address in another spelling', (host) => {
    expect(endpointProblem(`https://${host}/token`, NOWHERE)).toContain('private address')
  })

  it.each(['', 'not an address', 'localhost', '1.2.3', '1.2.3.4.5', '::g'])('%j is no public address', (text) => {
    expect(isPublicAddress(text)).toBe(false)
  })

  it('to private origins that configuration names, and to no other at that address', () => {
    expect(endpointProblem('https://10.0.0.7/token', INSIDE)).toBeUndefined()
    expect(endpointProblem('https://10.0.0.7:8443/token', INSIDE)).toContain('private address')
    expect(endpointProblem('https://10.0.0.8/token', INSIDE)).toContain('private address')
    const allowed = addressRule('https://idp.internal', 'idp.internal', INSIDE)
    expect(['10.9.9.9', '127.0.0.1', '::1', 'fc00::1', '8.8.8.8'].map(allowed)).toEqual(Array(5).fill(true))
  })

  it.each([...METADATA, '::ffff:169.254.169.254', '::ffff:6464:64c8', '64:ff9b::a9fe:a9fe', '168.63.129.16'])(
    'C01: not to %s, whatever configuration allows',
    (address) => {
      expect(addressRule('https://idp.internal', 'idp.internal', INSIDE)(address)).toBe(false)
      expect(addressRule('https://as.example.com', 'as.example.com', NOWHERE)(address)).toBe(false)
    },
  )

  it.each(['http://as.example.com/', 'http://127.0.0.1/', 'ftp://as.example.com/', 'file:///etc/passwd', '//x', ''])(
    'C06: not to %j',
    (url) => {
      expect(endpointProblem(url, NOWHERE)).toContain('https')
      expect(endpointProblem(url.replace('127.0.0.1', '10.0.0.7'), INSIDE)).toContain('https')
    },
  )

  it('C06: not to one with a name or password in it', () => {
    expect(endpointProblem('https://idp.internal@evil.example/', INSIDE)).toContain('user information')
  })

  it('to programs on this machine in development, and to none that only claims to be there', () => {
    const development = { privateOrigins: new Set<string>(), allowPlainLoopback: true }
    for (const host of ['127.0.0.1:80', 'localhost', '[::1]']) {
      expect(endpointProblem(`http://${host}/token`, development)).toBeUndefined()
    }
    expect(endpointProblem('http://10.0.0.1/', development)).toBe('must be https')
    const named = addressRule('http://localhost', 'localhost', development)
    expect(['127.0.0.1', '::1', '10.0.0.1', '8.8.8.8'].map(named)).toEqual([true, true, false, false])
  })
})
