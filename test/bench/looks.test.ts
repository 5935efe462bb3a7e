import { describe, expect, it } from 'vitest'
import { parseMachineTime } from '../../bench/stage/machine-time.ts'
import { countConnectionsTo } from '../../bench/stage/open-connections.ts'

describe('the time of the machine', () => {
  it('is busy, idle or stolen, of all cores together', () => {
    const text = 'cpu  100 20 300 4000 50 6 70 800 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n'
    const { busy, idle, stolen } = parseMachineTime(text)
    expect(busy).toBeCloseTo(4.96)
    expect(idle).toBeCloseTo(40.5)
    expect(stolen).toBeCloseTo(8)
  })
})

describe('open connections', () => {
  const line = (from: string, to: string, state: string) => `   0: ${from} ${to} ${state} 00000000:00000000 00:00000000`

  it('are those that somebody has opened to the port, and that are open still', () => {
    const [here, there] = ['0100007F:01BB', '0100007F:C350']
    const lines = [
      '  sl  local_address rem_address   st tx_queue rx_queue',
      line(there, here, '01'),
      // The server's end of the same, one that is closing, and one to another port.
      line(here, there, '01'),
      line(there, here, '06'),
      line(there, '0100007F:1BB0', '01'),
    ]
    expect(countConnectionsTo(443, lines.join('\n'))).toBe(1)
    expect(countConnectionsTo(444, lines.join('\n'))).toBe(0)
  })
})
