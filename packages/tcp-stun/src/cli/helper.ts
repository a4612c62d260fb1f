import path from 'node:path'
import { Command } from 'commander'
import { formatEndpoint } from 'libp2p-tcp-stun/net'
import { certificateStatus } from '../page/served-certificate.ts'
import { fitHelp } from './help.ts'
import { addHelperOptions } from './helper-options.ts'
import { limitsText, nodeText } from './helper-text.ts'
import { createLog } from './log.ts'
import { addSettings } from './settings.ts'
import type { HelperOptions } from './helper-options.ts'
import type { Log } from './log.ts'
import type { AllowList } from '../helper/allow-list.ts'
import type { Helper, HelperInit } from '../helper/options.ts'
import type { MetricsServer } from '../metrics/web.ts'
import type { TLSCertificate } from '@libp2p/interface'

const NOTES = `
The machine needs a public address.

A check whose only STUN server is on this machine cannot tell whether strangers are
admitted, because it has contacted this machine: name another STUN server too.

Signals: SIGTERM and SIGINT drain, a second one stops at once. SIGHUP reads --allow again,
and disconnects peers that are no longer on it.

Examples:
  tcp-stun helper --data /var/lib/tcp-stun
  tcp-stun helper --data /var/lib/tcp-stun --max-peers 5000 --metrics --json
  tcp-stun helper --data . --allow members.txt --external-ip 203.0.113.1

On a machine behind a NAT:
  tcp-stun check --helper helper.example.org:4001`

export function helperCommand (): Command {
  const command = new Command('helper')
    .description(
      'Run what a private network of peers needs on one public machine: STUN server, AutoNAT v2 server, circuit ' +
        'relay and the board on which peers find each other'
    )

  addHelperOptions(command)
  addSettings(command)

  return fitHelp(command, NOTES).action(runHelper)
}

async function runHelper (options: HelperOptions): Promise<void> {
  // libp2p takes a second to load, which the other commands do without
  const [
    { startHelper },
    { serveHelperMetrics },
    { credentialFromFile, keyFromFile, networkKeyFromFile },
    { AllowList, readAllowList }
  ] = await Promise.all([
    import('../helper/helper.ts'),
    import('../helper/metrics.ts'),
    import('../helper/key-file.ts'),
    import('../helper/allow-list.ts')
  ])
  const { data, announce = [], externalIp, trustedProxy, allow: allowFile, networkKey, metrics } = options
  const key = options.key ?? (data == null ? undefined : path.join(data, 'key'))
  const store = options.store ?? (data == null ? undefined : path.join(data, 'board'))
  const log = createLog(options.logLevel ?? 'info', options.json === true)
  const allow = allowFile == null ? undefined : new AllowList(await readAllowList(allowFile))

  const helper = await startHelper({
    ...options,
    announce: announce.map(String),
    externalIPs: externalIp,
    trustedProxies: trustedProxy,
    hostNames: options.hostName,
    certificate: certificateOf(options),
    autoTLS: autoTLSOf(options),
    privateKey: key == null ? undefined : await keyFromFile(key),
    networkKey: networkKey == null ? undefined : await networkKeyFromFile(networkKey),
    stunCredential: options.private == null ? undefined : await credentialFromFile(options.private),
    store: store == null ? undefined : await openStore(store),
    allow
  })
  const web = metrics == null
    ? undefined
    : await serveHelperMetrics(helper, metrics === true ? {} : { listen: metrics }).catch(async err => {
      await helper.close()
      throw err
    })

  logStore(helper, log)
  logCertificate(helper, log)
  // who reads that it listens may send a signal
  onHangUp(helper, log, allowFile, allow, readAllowList)
  onStop(helper, log, options.drainDeadline, web)
  logStart(helper, log, { networkKey, credential: options.private, allowFile, allow }, web)
}

/**
 * @throws {Error} one of the two files was not named
 */
function certificateOf ({ tlsCert: certFile, tlsKey: keyFile }: HelperOptions): HelperInit['certificate'] {
  if (certFile != null && keyFile != null) {
    return { certFile, keyFile }
  }

  if (certFile != null || keyFile != null) {
    throw new Error('TLS needs both --tls-cert and --tls-key')
  }
}

/**
 * @throws {Error} there is no folder for the certificate
 */
function autoTLSOf ({ autoTls, data }: HelperOptions): HelperInit['autoTLS'] {
  if (autoTls !== true) {
    return
  }

  if (data == null) {
    throw new Error('--auto-tls needs --data, where the certificate is kept: Let\'s Encrypt gives only a few a week')
  }

  return { folder: path.join(data, 'auto-tls') }
}

async function openStore (location: string): Promise<any> {
  const { createStore } = await import('../rendezvous/store/create-store.ts')

  return createStore(location)
}

function logStart (
  helper: Helper,
  log: Log,
  access: { networkKey?: string, credential?: string, allowFile?: string, allow?: AllowList },
  web?: MetricsServer
): void {
  for (const { host, port } of helper.stunServer.addresses) {
    log('info', 'stun', `STUN server   stun:${formatEndpoint({ host, port })}`, { host, port })
  }

  const id = helper.node.peerId.toString()
  const addresses = helper.node.getMultiaddrs().map(String)
  log('info', 'listening', `AutoNAT, relay and board\n${addresses.map(address => `  ${address}`).join('\n')}`, {
    id,
    addresses
  })
  log('info', 'limits', ['Limits', ...limitsText(helper.limits)].join('\n'), helper.limits)

  if (access.allow != null) {
    log('info', 'allow', `Serving ${access.allow.size} peers of ${access.allowFile}`, { peers: access.allow.size })
  }

  if (web != null) {
    const { address } = web
    log('info', 'metrics', `Status page at http://${formatEndpoint(address)}/, with /metrics and /health`, address)
  }

  log('info', 'node', nodeText(addresses, helper.stunServer.addresses, access), {})
}

function logStore ({ node: { services: { board } } }: Helper, log: Log): void {
  board.addEventListener('store:damaged', ({ detail }) => {
    log('error', 'store-damaged', detail, { message: detail })
  })
  board.addEventListener('store:failed', ({ detail: { message } }) => {
    log('error', 'store-failed', `The board goes on in memory only: ${message}`, { message })
  })
  board.addEventListener('store:recovered', () => {
    log('info', 'store-recovered', 'The board is stored again')
  })
}

function logCertificate ({ node }: Helper, log: Log): void {
  const onCertificate = ({ detail: { cert } }: CustomEvent<TLSCertificate>): void => {
    const { names, expires } = certificateStatus(cert)
    const until = new Date(expires).toISOString()
    log('info', 'certificate', `Certificate for ${names.join(', ')}, until ${until}`, { names, expires: until })
  }
  node.addEventListener('certificate:provision', onCertificate)
  node.addEventListener('certificate:renew', onCertificate)
}

function onHangUp (
  helper: Helper,
  log: Log,
  file: string | undefined,
  allow: AllowList | undefined,
  read: (path: string) => Promise<string[]>
): void {
  process.on('SIGHUP', () => {
    if (file == null || allow == null) {
      log('info', 'allow-unchanged', 'SIGHUP: there is no --allow file to read')
      return
    }

    read(file).then(
      members => {
        allow.replace(members)
        helper.expelStrangers()
        log('info', 'allow-reloaded', `read ${file} again: ${allow.size} peers`, { file, peers: allow.size })
      },
      err => {
        log('error', 'allow-failed', `the list stays as it was: ${err.message}`, { file, message: err.message })
      }
    )
  })
}

function onStop (helper: Helper, log: Log, deadline: number, web?: MetricsServer): void {
  let signals = 0

  const stop = (): void => {
    signals++

    if (signals === 1) {
      const { circuits, stunServer: { counters: { bindings } } } = helper
      log('info', 'stopping', `stopping after ${bindings} Binding responses, with ${circuits} relayed connections`, {
        bindings,
        circuits
      })
    }

    // the first signal drains, the second one does not wait
    const stopped = signals === 1 ? helper.drain(deadline) : helper.close()

    stopped
      .then(async () => web?.close())
      .catch(err => {
        log('error', 'failed', `tcp-stun: ${err.message}`, { message: err.message })
        process.exitCode = 1
      })
  }

  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
}
