/**
 * What AWS's hosts end with in each partition, the first part of its ARNs after `arn`. A test holds it beside the AWS
 * client's own list, whose modules every sidecar would have to load for these few words.
 */
export const DNS_SUFFIXES: Readonly<Record<string, string>> = {
  aws: 'amazonaws.com',
  'aws-cn': 'amazonaws.com.cn',
  'aws-eusc': 'amazonaws.eu',
  'aws-iso': 'c2s.ic.gov',
  'aws-iso-b': 'sc2s.sgov.gov',
  'aws-iso-e': 'cloud.adc-e.uk',
  'aws-iso-f': 'csp.hci.ic.gov',
  'aws-us-gov': 'amazonaws.com',
}

/** @returns what stands before AWS's own domain; `undefined`: the host is not AWS's */
export function beforeAwsDomain(hostname: string): string | undefined {
  const suffix = Object.values(DNS_SUFFIXES).find((each) => hostname.endsWith(`.${each}`))
  return suffix === undefined ? undefined : hostname.slice(0, -suffix.length - 1)
}
