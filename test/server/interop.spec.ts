import { execFile, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'aegir/chai'
import { formatEndpoint } from '../../src/address/endpoint.ts'
import { createSTUNServer } from '../../src/server/index.ts'
import { createCertificate } from '../fixtures/certificate.ts'
import { skipWithout } from '../fixtures/missing-tool.ts'
import type { STUNServer, STUNServerAddress } from '../../src/server/index.ts'
import type { Certificate } from '../fixtures/certificate.ts'

const run = promisify(execFile)

/**
 * coturn's turnutils_stunclient and turnutils_natdiscovery speak UDP only
 */
describe('STUN server, other clients', () => {
  let server: STUNServer
  let certificate: Certificate

  before(async () => {
    certificate = createCertificate()
    server = createSTUNServer({
      listen: [{ host: '127.0.0.1', port: 0 }, { host: '::1', port: 0 }],
      tls: { key: certificate.key, cert: certificate.cert, listen: [{ host: '127.0.0.1', port: 0 }] }
    })
    await server.listen()
  })

  after(async () => {
    await server.close()
    certificate.remove()
  })

  function trust ({ transport }: STUNServerAddress): string[] {
    return transport === 'tls' ? [certificate.certFile] : []
  }

  describe('a Python socket', () => {
    before(function () {
      if (spawnSync('python3', ['--version']).error != null) {
        skipWithout(this, 'a client in Python', 'apt-get install python3')
      }
    })

    it('gets its address over TCP, IPv6 and TLS', async () => {
      for (const address of server.addresses) {
        const { stdout } = await run('python3', [
          'test/clients/python.py',
          address.host,
          String(address.port),
          ...trust(address)
        ])
        const { local, seen } = JSON.parse(stdout)

        expect(seen).to.deep.equal([local, local])
      }
    })
  })

  describe("pion/stun's client", () => {
    let folder: string
    let program: string

    before(async function () {
      if (spawnSync('go', ['version']).error != null) {
        skipWithout(this, 'a client in Go', 'apt-get install golang')
      }

      this.timeout(300_000)
      folder = mkdtempSync(path.join(os.tmpdir(), 'libp2p-tcp-stun-'))
      program = path.join(folder, 'pion')
      await run('go', ['build', '-o', program, '.'], { cwd: 'test/clients/go' })
    })

    after(() => {
      if (folder != null) {
        rmSync(folder, { recursive: true })
      }
    })

    it('gets its address over TCP, IPv6 and TLS, with FINGERPRINT too', async () => {
      for (const address of server.addresses) {
        const { stdout } = await run(program, [formatEndpoint(address), ...trust(address)])
        const { local, seen } = JSON.parse(stdout)

        expect(seen).to.deep.equal([local, local])
      }
    })
  })
})
