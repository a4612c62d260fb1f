import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect } from 'aegir/chai'
import { Command } from 'commander'
import { addHelperOptions } from '../src/cli/helper-options.ts'
import { addServerOptions } from '../src/cli/server-options.ts'
import { addSettings, readSettings } from '../src/cli/settings.ts'

describe('settings from the environment and a file', () => {
  let folder: string

  beforeEach(async () => { folder = await mkdtemp(path.join(tmpdir(), 'tcp-stun-')) })
  afterEach(async () => { await rm(folder, { recursive: true }) })

  function parse (args: string[], env: NodeJS.ProcessEnv, add = addHelperOptions): any {
    const command = new Command('helper').exitOverride().configureOutput({ writeErr: () => {} })
    add(command)
    addSettings(command)
    command.parse(args, { from: 'user' })
    readSettings(command, env)

    return command.opts()
  }

  async function config (settings: unknown): Promise<string> {
    const file = path.join(folder, 'config.json')
    await writeFile(file, typeof settings === 'string' ? settings : JSON.stringify(settings))

    return file
  }

  it('the command line counts most, then the environment, then the file', async () => {
    const file = await config({ maxPeers: 1, relayBytes: 2, relayDuration: 3_000, drainDeadline: 4 })
    const env = { TCP_STUN_MAX_PEERS: '6', TCP_STUN_RELAY_BYTES: '7' }
    const options = parse(['--config', file, '--max-peers', '5'], env)

    expect(options).to.include({ maxPeers: 5, relayBytes: 7, relayDuration: 3_000, drainDeadline: 4 })
  })

  it('the file can be named in the environment', async () => {
    expect(parse([], { TCP_STUN_CONFIG: await config({ maxPeers: 1 }) })).to.include({ maxPeers: 1 })
  })

  it('lists have commas in the environment, and are lists in the file', async () => {
    const listen = [{ host: '127.0.0.1', port: 1 }, { host: '::1', port: 2 }]

    expect(parse([], { TCP_STUN_LISTEN: '127.0.0.1:1, [::1]:2' }).listen).to.deep.equal(listen)
    expect(parse(['--config', await config({ listen: ['127.0.0.1:1', '[::1]:2'] })], {}).listen).to.deep.equal(listen)
  })

  it('switches are true or false', async () => {
    expect(parse([], { TCP_STUN_JSON: 'true', TCP_STUN_METRICS: '1' })).to.include({ json: true, metrics: true })
    expect(parse(['--config', await config({ json: false, metrics: '9000' })], {}))
      .to.deep.include({ metrics: { host: '127.0.0.1', port: 9_000 } })
      .and.not.include({ json: true })
  })

  it('every flag of the helper and of the server can be set', () => {
    for (const add of [addHelperOptions, addServerOptions]) {
      const command = new Command()
      add(command)
      const names = command.options.map(option => option.attributeName())
      const env = Object.fromEntries(names.map(name => [
        `TCP_STUN_${name.replace(/[A-Z]/g, letter => `_${letter}`).toUpperCase()}`, 'not valid, for any of them'
      ]))
      const taken = names.filter(name => {
        const variable = `TCP_STUN_${name.replace(/[A-Z]/g, letter => `_${letter}`).toUpperCase()}`

        try {
          return parse([], { [variable]: env[variable] }, add)[name] != null
        } catch (err: any) {
          return err.message.includes(variable)
        }
      })

      expect(taken).to.deep.equal(names)
    }
  })

  for (const { title, settings, hint } of [
    { title: 'no JSON', settings: '{', hint: 'could not read' },
    { title: 'no object', settings: [], hint: 'must be a JSON object' },
    { title: 'an unknown name', settings: { maxPeer: 1 }, hint: '"maxPeer", which is none of listen' },
    { title: 'an invalid value', settings: { maxPeers: 'many' }, hint: 'maxPeers has the invalid value "many"' },
    { title: 'a text for a switch', settings: { json: 'perhaps' }, hint: 'It must be true or false' }
  ]) {
    it(`a file with ${title} is refused`, async () => {
      const file = await config(settings)

      expect(() => parse(['--config', file], {})).to.throw(hint)
    })
  }
})
