import { mkdir } from 'node:fs/promises'
import { isIP } from 'node:net'
import { InvalidParametersError, start, stop } from '@libp2p/interface'
import { isGlobal } from 'libp2p-tcp-stun/net'
import type { AutoTLSOptions, HelperInit } from './options.ts'
import type { Libp2p, Startable, TLSCertificate } from '@libp2p/interface'
import type { Datastore } from 'interface-datastore'

const PACKAGES = ['@ipshipyard/libp2p-auto-tls', '@libp2p/http', '@libp2p/keychain']

/**
 * AutoTLS gets a certificate only for a machine that its service can dial back by TCP
 *
 * @param init - the options of the helper
 * @param addresses - the multiaddrs that the helper announces
 * @throws {InvalidParametersError} it does not go with the other options, or no address is public
 */
export function checkAutoTLS (init: HelperInit, addresses: string[]): void {
  const { certificate, networkKey, webSockets } = init

  if (certificate != null) {
    throw new InvalidParametersError(
      'AutoTLS gets a certificate by itself: leave out either it or your own certificate'
    )
  }

  if (networkKey != null) {
    throw new InvalidParametersError(
      'AutoTLS does not work with a network key: its service could not dial the helper back. ' +
        'Use a certificate of your own'
    )
  }

  if (webSockets === false) {
    throw new InvalidParametersError('AutoTLS needs webSockets: nothing else uses its certificate')
  }

  if (!addresses.some(isPublic)) {
    throw new InvalidParametersError(
      'AutoTLS gets certificates for public IP addresses, and this machine has none. ' +
        'Behind a 1:1 NAT name the public one: externalIPs, or --external-ip'
    )
  }
}

function isPublic (address: string): boolean {
  const [,, host] = address.split('/')

  return isIP(host) !== 0 && isGlobal(host)
}

/**
 * A service of libp2p that gets a certificate for the node, keeps it, renews it, and has the node announce its names.
 * What it consists of is loaded only here.
 *
 * @throws {InvalidParametersError} a package is not installed; the message names it
 */
export async function loadAutoTLS ({ folder, ...options }: AutoTLSOptions): Promise<(components: any) => Startable> {
  const { autoTLS, http, keychain } = await importPackages()
  const stored = folder == null ? undefined : await storeIn(folder)

  return components => {
    // components of libp2p throw for what is missing, so they cannot be copied
    const { privateKey, peerId, logger, addressManager, events, nodeInfo, registrar, connectionManager } = components
    const datastore: Datastore = stored ?? components.datastore
    const parts: any = {
      privateKey, peerId, logger, addressManager, events, nodeInfo, registrar, connectionManager, datastore
    }
    parts.keychain = keychain()(parts)
    // it only sends requests, so it need not be started
    parts.http = http()(parts)
    const service = autoTLS({ ...options, autoConfirmAddress: true })(parts)

    return {
      start: async () => {
        await stored?.open()
        await start(service)
      },
      stop: async () => {
        await stop(service)
        await stored?.close()
      }
    }
  }
}

/**
 * The certificate that the node has by AutoTLS
 */
export function autoTLSCertificate (node: Libp2p): { readonly cert: string | undefined } {
  const latest: { cert?: string } = {}
  const onCertificate = ({ detail: { cert } }: CustomEvent<TLSCertificate>): void => { latest.cert = cert }
  node.addEventListener('certificate:provision', onCertificate)
  node.addEventListener('certificate:renew', onCertificate)

  return { get cert () { return latest.cert } }
}

interface Packages {
  autoTLS: typeof import('@ipshipyard/libp2p-auto-tls')['autoTLS']
  http: typeof import('@libp2p/http')['http']
  keychain: typeof import('@libp2p/keychain')['keychain']
}

async function importPackages (): Promise<Packages> {
  try {
    const [{ autoTLS }, { http }, { keychain }] = await Promise.all([
      import('@ipshipyard/libp2p-auto-tls'), import('@libp2p/http'), import('@libp2p/keychain')
    ])

    return { autoTLS, http, keychain }
  } catch (err: any) {
    throw new InvalidParametersError(`AutoTLS needs other packages: npm install ${PACKAGES.join(' ')} (${err.message})`)
  }
}

/**
 * The private key is in there
 */
async function storeIn (folder: string): Promise<Datastore & { open(): Promise<void>, close(): Promise<void> }> {
  const { LevelDatastore } = await import('datastore-level')
  await mkdir(folder, { recursive: true, mode: 0o700 })

  return new LevelDatastore(folder)
}
