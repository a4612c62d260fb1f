import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { expect } from 'aegir/chai'
import { HostsFile, addressesIn } from '../../src/runtime/hosts-file.ts'

const TEXT = `
# a comment with example.org
127.0.0.1\tlocalhost localhost.localdomain
::1 localhost ip6-localhost   # example.org
  10.0.0.1   printer printer.home\r
10.0.0.2 printer
300.0.0.1 broken
fe80::1%lo0 localhost
`

describe('hosts file', () => {
  for (const [name, family, addresses] of [
    ['localhost', 4, ['127.0.0.1']],
    ['localhost', 6, ['::1', 'fe80::1%lo0']],
    ['localhost.localdomain', 4, ['127.0.0.1']],
    ['localhost.localdomain', 6, []],
    ['printer', 4, ['10.0.0.1', '10.0.0.2']],
    ['printer.home', 4, ['10.0.0.1']],
    ['print', 4, []],
    ['example.org', 4, []],
    ['broken', 4, []],
    ['10.0.0.1', 4, []]
  ] as const) {
    it(`has ${addresses.length === 0 ? 'no' : addresses.join(' and ')} IPv${family} address of ${name}`, () => {
      expect(addressesIn(TEXT, name, family)).to.deep.equal(addresses)
    })
  }

  it('is read again when it has changed, and may be absent', async () => {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'hosts-'))
    const file = path.join(folder, 'hosts')

    try {
      const hosts = new HostsFile(file)
      expect(await hosts.lookup('printer', 4)).to.deep.equal([])
      await writeFile(file, '10.0.0.1 Printer')
      expect(await hosts.lookup('printer', 4)).to.deep.equal(['10.0.0.1'])
      await writeFile(file, '10.0.0.2 Printer')
      await utimes(file, 1, 1)
      expect(await hosts.lookup('printer', 4)).to.deep.equal(['10.0.0.2'])
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
