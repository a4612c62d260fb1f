import { pEvent } from 'p-event'
import type { Interface } from 'node:readline'

/**
 * Wait for a line of JSON that fits
 */
export async function nextLine<T = any> (lines: Interface, filter: (line: any) => boolean): Promise<T> {
  const line = await pEvent<'line', string>(lines as any, 'line', {
    timeout: 180_000,
    filter: text => filter(JSON.parse(text)),
    rejectionEvents: ['error', 'close']
  })

  return JSON.parse(line)
}
