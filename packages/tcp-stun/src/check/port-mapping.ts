import { setTimeout } from 'node:timers/promises'
import { askHTTP, askUDP } from './gateway/ask.ts'
import { defaultGateway } from './gateway/default-gateway.ts'
import {
  NAT_PMP_ADDRESS_REQUEST, PCP_PORT, SSDP, SSDP_SEARCH, externalAddressRequest, isPCPSuccess, parseDescription,
  parseExternalAddress, parseNATPMP, parseSSDP, pcpAnnounce
} from './gateway/messages.ts'
import type { ExternalAddress } from './gateway/messages.ts'

/**
 * How long a router is waited for at least, in ms. On a cable it answers within some
 * milliseconds.
 */
const MIN_DISCOVERY = 120

/**
 * A router that refuses does so at once, in ms
 */
const HEAD_START = 50

/**
 * How long a router that has answered may take for its description and its address,
 * in ms
 */
const UPNP_TIMEOUT = 1_000

/**
 * A protocol by which programs can have the router open a port
 */
export interface PortMappingProtocol {
  name: 'UPnP' | 'NAT-PMP' | 'PCP'

  /**
   * From request to answer, in ms
   */
  roundTrip: number

  /**
   * The external address that the router reports: `null` when it has none, left out
   * when it has not said
   */
  external?: ExternalAddress
}

/**
 * What this machine's router offers
 */
export interface PortMapping {
  /**
   * The router's address on this side
   */
  gateway: string

  /**
   * None when it does not answer to any
   */
  protocols: PortMappingProtocol[]
}

interface FindPortMappingInit {
  /**
   * Whatever else is asked meanwhile. A router that is silent is waited for as long: servers
   * are behind it, so in a slow wireless network they take long too.
   */
  others: Promise<unknown>

  signal: AbortSignal
}

interface Patience {
  /**
   * No answer is expected any more
   */
  discovery: AbortSignal

  signal: AbortSignal
}

/**
 * Ask the router, by all protocols at once, whether it maps ports and which external
 * address it has. Nothing is mapped.
 *
 * @returns `undefined` when there is no router, or none is known
 */
export async function findPortMapping (
  version: 4 | 6,
  { others, signal }: FindPortMappingInit
): Promise<PortMapping | undefined> {
  const gateway = defaultGateway(version)

  if (gateway == null) {
    return
  }

  const end = new AbortController()
  void Promise.allSettled([others, setTimeout(MIN_DISCOVERY)]).then(() => { end.abort() })
  const patience = { discovery: AbortSignal.any([signal, end.signal]), signal }

  // NAT-PMP knows IPv4 only, and so do most routers' UPnP
  const questions = version === 4 ? [askUPnP, askNATPMPAndPCP] : [askPCP]
  const answers = await Promise.all(questions.map(async ask => ask(gateway, patience).catch(() => undefined)))

  return { gateway, protocols: answers.flat().filter(answer => answer != null) }
}

/**
 * They have one port. A router that refuses the first question is not asked the
 * second one: it refuses only some packets a second, and the distance of the external
 * address takes some too.
 */
async function askNATPMPAndPCP (
  gateway: string,
  patience: Patience
): Promise<Array<PortMappingProtocol | undefined>> {
  const natPMP = askNATPMP(gateway, patience)
  const isRefused = await Promise.race([natPMP.then(found => found == null), setTimeout(HEAD_START, false)])

  return isRefused ? [] : Promise.all([natPMP, askPCP(gateway, patience)])
}

async function askNATPMP (gateway: string, { discovery }: Patience): Promise<PortMappingProtocol | undefined> {
  const found = await askUDP({
    from: gateway,
    to: { host: gateway, port: PCP_PORT },
    request: () => NAT_PMP_ADDRESS_REQUEST,
    parse: parseNATPMP,
    signal: discovery
  })

  return found == null ? undefined : { name: 'NAT-PMP', roundTrip: found.roundTrip, external: found.answer }
}

async function askPCP (gateway: string, { discovery }: Patience): Promise<PortMappingProtocol | undefined> {
  const found = await askUDP({
    from: gateway,
    to: { host: gateway, port: PCP_PORT },
    request: pcpAnnounce,
    parse: bytes => isPCPSuccess(bytes) ? true : undefined,
    signal: discovery
  })

  return found == null ? undefined : { name: 'PCP', roundTrip: found.roundTrip }
}

async function askUPnP (gateway: string, { discovery, signal }: Patience): Promise<PortMappingProtocol | undefined> {
  const found = await askUDP({
    from: gateway,
    to: SSDP,
    alsoTo: { host: gateway, port: SSDP.port },
    request: () => SSDP_SEARCH,
    parse: bytes => parseSSDP(bytes.toString('latin1'), gateway),
    signal: discovery
  })

  if (found == null) {
    return
  }

  const timeout = AbortSignal.any([signal, AbortSignal.timeout(UPNP_TIMEOUT)])
  const external = await askExternalAddress(found.answer, timeout).catch(() => undefined)

  return { name: 'UPnP', roundTrip: found.roundTrip, external }
}

/**
 * A router may have several connections of which one is in use: the first that knows
 * its address counts
 */
async function askExternalAddress (description: URL, signal: AbortSignal): Promise<ExternalAddress | undefined> {
  const services = parseDescription(await askHTTP(description, { signal }), description)
  const addresses = await Promise.all(services.map(async ({ type, control }) => {
    const response = await askHTTP(control, {
      method: 'POST',
      headers: { 'Content-Type': 'text/xml; charset="utf-8"', SOAPAction: `"${type}#GetExternalIPAddress"` },
      body: externalAddressRequest(type),
      signal
    }).catch(() => '')

    return parseExternalAddress(response)
  }))

  return addresses.find(address => typeof address === 'string') ?? addresses.find(address => address === null)
}
