import { readFile } from 'node:fs/promises'
import { expect } from 'aegir/chai'
import { DEFAULT_KEEP_ALIVE_INTERVAL, requestInterval } from '../../src/mapping/index.ts'

describe('keep-alive', () => {
  it('sends a Binding request every sixth time, below one second every time', () => {
    expect(requestInterval(15_000)).to.equal(90_000)
    expect(requestInterval(1_000)).to.equal(6_000)
    expect(requestInterval(999)).to.equal(999)
  })

  it('is documented as it is: a proxy must allow for the longest time between two requests', async () => {
    const longest = Math.round(1.1 * requestInterval(DEFAULT_KEEP_ALIVE_INTERVAL) / 1_000)

    expect(await readFile('docs/server.md', 'utf8')).to.include(`at least ${longest} s`)
    expect(await readFile('docs/check.md', 'utf8')).to.include(`a Binding request every ${requestInterval(DEFAULT_KEEP_ALIVE_INTERVAL) / 1_000} s`)
  })
})
