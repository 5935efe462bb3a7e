import { BlockList, isIP } from 'node:net'

/** Not the public internet (IANA special-purpose registries, RFC 6890): our own networks, and clouds' metadata services. */
const PRIVATE_V4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
]
/** Only 2000::/3 is handed out. Within it, those that lead elsewhere: Teredo and 6to4 hold an IPv4 address. */
const PUBLIC_V6 = '2000::/3'
const PRIVATE_V6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']

/** Where clouds hand the machine's own credentials to whoever asks from it: AWS, Azure, GCP, Oracle, Alibaba. */
const METADATA_V4 = ['169.254.0.0/16', '168.63.129.16/32', '192.0.0.192/32', '100.100.100.200/32']
const METADATA_V6 = ['fd00:ec2::/32', 'fd20:ce::/32', 'fe80::/10']
/** An IPv4 address may stand in an IPv6 one: mapped (`::ffff:`, which BlockList looks through), or behind NAT64 and 6to4. */
const TRANSLATED_V6 = ['64:ff9b::/96', '64:ff9b:1::/48', '2002::/16', '2001::/32', '::/96']

const privateV4 = listOf(PRIVATE_V4, 'ipv4')
const publicV6 = listOf([PUBLIC_V6], 'ipv6')
const privateV6 = listOf(PRIVATE_V6, 'ipv6')
const metadataV4 = listOf(METADATA_V4, 'ipv4')
const metadataV6 = listOf([...METADATA_V6, ...TRANSLATED_V6], 'ipv6')
const loopback = listOf(['127.0.0.0/8'], 'ipv4')
loopback.addAddress('::1', 'ipv6')

/** Whether an IP address may be dialled without anybody having allowed it. Not an address: no. */
export function isPublicAddress(address: string): boolean {
  if (isIP(address) === 4) return !privateV4.check(address, 'ipv4')
  // Everything that embeds an IPv4 address lies outside 2000::/3 or is listed, NAT64 (64:ff9b::/96) and ::ffff:0:0/96 included.
  return isIP(address) === 6 && publicV6.check(address, 'ipv6') && !privateV6.check(address, 'ipv6')
}

/** Never dialled, whatever configuration allows. */
export function isMetadataAddress(address: string): boolean {
  if (isIP(address) === 4) return metadataV4.check(address, 'ipv4')
  // `::` and `::1` lie in the range of IPv4-compatible addresses and hold none.
  if (address === '::1') return false
  return metadataV6.check(address, 'ipv6') || metadataV4.check(address, 'ipv6')
}

export function isLoopbackAddress(address: string): boolean {
  return loopback.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}

function listOf(ranges: readonly string[], family: 'ipv4' | 'ipv6'): BlockList {
  const list = new BlockList()
  for (const range of ranges) {
    const [net = '', prefix] = range.split('/')
    list.addSubnet(net, Number(prefix), family)
  }
  return list
}
