import { readFileSync } from 'node:fs'
import { expect } from 'aegir/chai'
import { validateLimits } from '../../../src/server/limits.ts'
import { onLoopback } from '../../../test/fixtures/on-loopback.ts'
import { waitUntil } from '../../../test/fixtures/wait-until.ts'
import { createSTUNServer, serveMetrics } from '../src/server/index.ts'

const HOST = '127.0.0.1'

describe('tcp-stun server, metrics', () => {
  const { closeLater, connect, start } = onLoopback(createSTUNServer)

  for (const workers of [0, 2]) {
    it(`serves metrics for Prometheus and health for load balancers: ${workers} workers`, async () => {
      const server = await start({ workers })
      const web = closeLater(await serveMetrics(server, { listen: { host: HOST, port: 0 } }))
      const get = async (path: string, init?: RequestInit): Promise<{ status: number, text: string }> => {
        const response = await fetch(`http://${HOST}:${web.address.port}${path}`, init)

        return { status: response.status, text: await response.text() }
      }
      const client = await connect(server.addresses[0])
      await client.ask()

      let text = ''

      // workers send their counters now and then
      await waitUntil('the Binding is counted', async () => {
        text = (await get('/metrics')).text

        return text.includes('tcp_stun_server_bindings_total 1\n')
      })

      expect(text).to.include('tcp_stun_server_connections 1\n')
      expect(text).to.include('tcp_stun_server_resets_total{reason="not-stun"} 0\n')
      expect(text).to.include(`tcp_stun_server_workers ${workers}\n`)
      expect(await get('/health')).to.include({ status: 200 })
      expect(await get('/nothing')).to.include({ status: 404 })
      expect(await get('/metrics', { method: 'POST' })).to.include({ status: 405 })

      const drained = server.drain({ deadline: 60_000 })
      expect(await get('/health')).to.include({ status: 503 })
      client.close()
      await drained
    })
  }

  it('answers 503 while the server is overloaded', async () => {
    const server = await start({ maxConnections: 1 })
    const web = closeLater(await serveMetrics(server, { listen: { host: HOST, port: 0 } }))
    const url = `http://${HOST}:${web.address.port}`
    const client = await connect(server.addresses[0])
    await client.ask()

    const response = await fetch(`${url}/health`)
    expect(response.status).to.equal(503)
    expect(await response.json()).to.include({ state: 'overloaded' })
    expect(await (await fetch(`${url}/metrics`)).text()).to.include('tcp_stun_server_overloaded 1\n')

    client.close()

    await waitUntil('the server has recovered', async () => (await fetch(`${url}/health`)).status === 200)

    expect(await (await fetch(`${url}/metrics`)).text()).to.include('tcp_stun_server_overloaded 0\n')
  })

  it('describes every limit in docs/server.md, with its default', () => {
    const text = readFileSync('docs/server.md', 'utf8')

    for (const [name, value] of Object.entries(validateLimits({}))) {
      expect(text).to.match(new RegExp(`\`${name}\`.*\\| ${value.toLocaleString('en').replaceAll(',', ' ')} \\|`))
    }
  })
})
