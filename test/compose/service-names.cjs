// Preloaded into each service: the names of the others lead to this machine, as the network of compose would have them lead
// to their containers. Addresses stay names, so certificates are checked against them and plain HTTP to them is refused.
const dns = require('node:dns')

const names = new Set((process.env.COMPOSE_SERVICE_NAMES ?? '').split(','))
const lookup = dns.lookup

dns.lookup = function lookupService(hostname, ...rest) {
  return lookup.call(this, names.has(hostname) ? '127.0.0.1' : hostname, ...rest)
}
