import { execFile } from 'node:child_process'
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'aegir/chai'
import { Command } from 'commander'
import { validate } from 'dockerfile-utils'
import { skipWithout } from '../../../test/fixtures/missing-tool.ts'
import { addHelperOptions } from '../src/cli/helper-options.ts'
import { addSettings, readSettings } from '../src/cli/settings.ts'
import { startHelper } from '../src/helper/helper.ts'
import { createHelperMetrics } from '../src/helper/metrics.ts'
import type { Helper } from '../src/helper/options.ts'

const DEPLOY = 'packages/tcp-stun/deploy'
const LOOPBACK = [{ host: '127.0.0.1', port: 0 }]
const run = promisify(execFile)

describe('the files for operators', () => {
  let helper: Helper | undefined
  let folder: string

  beforeEach(async () => { folder = await mkdtemp(path.join(tmpdir(), 'tcp-stun-')) })
  afterEach(async () => {
    await helper?.close()
    await rm(folder, { recursive: true })
  })

  it('the dashboard has a title for each panel, and only metrics that there are', async () => {
    helper = await startHelper({ listen: LOOPBACK, stunListen: LOOPBACK })
    const names = (await createHelperMetrics(helper).getMetricsAsJSON()).map(({ name }) => name)
    const { panels } = JSON.parse(await readFile(`${DEPLOY}/grafana-helper.json`, 'utf8'))
    const expressions: string[] = panels.flatMap(({ targets }: any) => targets).map(({ expr }: any) => expr)
    const used = expressions.flatMap(expr => [...expr.matchAll(/\b([a-z]+(?:_[a-z]+)+)\{/g)]).map(([, name]) => name)

    expect(panels.every(({ title }: any) => title !== '')).to.equal(true)
    expect(used).to.include('tcp_stun_helper_reservations')
    expect(used.filter(name => !names.includes(name))).to.deep.equal([])
  })

  it('systemd accepts the unit', async function () {
    const unit = path.join(folder, 'tcp-stun-helper.service')
    await copyFile(`${DEPLOY}/tcp-stun-helper.service`, unit)
    const { stderr } = await run('systemd-analyze', ['verify', unit], { env: { ...process.env, LC_ALL: 'C' } })
      .catch(err => {
        if (err.code === 'ENOENT') {
          skipWithout(this, 'the check of the systemd unit', 'apt-get install systemd')
        }

        return err
      })

    expect(stderr.split('\n').filter((line: string) => line.includes('tcp-stun-helper'))).to.deep.equal([])
  })

  it('the Containerfile has no error, and nothing to warn of', async () => {
    const container = await readFile(`${DEPLOY}/Containerfile`, 'utf8')

    expect(validate(container)).to.deep.equal([])
    // the tool finds what is wrong
    expect(validate(container.replace('USER 1000', 'USERS 1000'))).to.not.be.empty()
  })

  it('the unit and the container run commands with valid flags', async () => {
    const unit = await readFile(`${DEPLOY}/tcp-stun-helper.service`, 'utf8')
    const container = await readFile(`${DEPLOY}/Containerfile`, 'utf8')
    const [, started = ''] = /^ExecStart=.*tcp-stun helper (.*)$/m.exec(unit) ?? []
    const [, entry = '[]'] = /^ENTRYPOINT (.*)$/m.exec(container) ?? []

    for (const args of [started.split(' '), JSON.parse(entry).slice(2)]) {
      const command = new Command().exitOverride()
      addHelperOptions(command)
      command.parse(args, { from: 'user' })
      expect(command.opts()).to.include({ metrics: true, json: true })
      expect(command.opts().data).to.be.a('string')
    }

    const [, health = '[]'] = /^HEALTHCHECK CMD (.*)$/m.exec(container) ?? []
    expect(JSON.parse(health)[2]).to.include('127.0.0.1:9478/health')
  })

  it('the configuration file is valid', async () => {
    const command = new Command().exitOverride()
    addHelperOptions(command)
    addSettings(command)
    const file = path.join(folder, 'helper.json')
    await writeFile(file, await readFile(`${DEPLOY}/helper.json`))
    command.parse(['--config', file], { from: 'user' })
    readSettings(command, {})

    expect(command.opts()).to.include({ maxPeers: 1_000, json: true })
  })
})
