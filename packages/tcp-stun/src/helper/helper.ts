import { autoNATv2 } from '@libp2p/autonat-v2'
import { circuitRelayServer } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { preSharedKey } from '@libp2p/pnet'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { tcpSTUN } from 'libp2p-tcp-stun'
import { attestor } from 'libp2p-tcp-stun/dcutr'
import { toMultiaddr } from 'libp2p-tcp-stun/multiaddr'
import { createSTUNServer, networkMatcher } from 'libp2p-tcp-stun/server'
import { ownNames } from '../page/own-names.ts'
import { StatusPage } from '../page/page.ts'
import { rendezvousServer } from '../rendezvous/index.ts'
import { Agents } from './agents.ts'
import { autoTLSCertificate, checkAutoTLS, loadAutoTLS } from './auto-tls.ts'
import { keptConnectionList } from './connection-list.ts'
import {
  announcedAddresses, checkDialBackFrom, defaultListen, defaultSTUNListen, publicAddresses, withWebSockets
} from './endpoints.ts'
import { Gate } from './gate.ts'
import { helperLimits } from './limits.ts'
import { answerHelperMetrics } from './metrics.ts'
import { noPeerStore } from './no-peer-store.ts'
import { RelayPolicy } from './relay-policy.ts'
import { Strangers } from './strangers.ts'
import type { HelperLimits } from './limits.ts'
import type { Helper, HelperInit, HelperServices } from './options.ts'
import type { Libp2p } from '@libp2p/interface'
import type { Endpoint } from 'libp2p-tcp-stun/net'
import type { STUNServer } from 'libp2p-tcp-stun/server'
import type { RequestListener } from 'node:http'

/**
 * How long AutoNAT waits for one address, in ms: the client waits for the result,
 * and the kernel has sent two SYNs by then
 */
const DIAL_TIMEOUT = 3_000

/**
 * The system finds dead peers by TCP probes, after this time of silence in ms. libp2p's
 * pings do it too, at the cost of a stream for each connection every 10 s.
 */
const KEEP_ALIVE_DELAY = 60_000

const EVERYBODY = ['/ip4/0.0.0.0/ipcidr/0', '/ip6/::/ipcidr/0']

/**
 * Start everything that a private network of peers needs on one public machine: a
 * STUN server, which tells peers their address; an AutoNAT v2 server, which tests
 * that address; and a circuit relay, where peers meet before a hole punch, or
 * stay when hole punching fails
 *
 * @throws the system's error, for example with code EADDRINUSE
 */
export async function startHelper (init: HelperInit = {}): Promise<Helper> {
  const { listen = defaultListen(), stunListen = defaultSTUNListen(), trustedProxies = [], allow, networkKey } = init
  const limits = helperLimits(init, allow == null && networkKey == null)
  const isProxy = trustedProxies.length === 0 ? () => false : networkMatcher(trustedProxies)
  const policy = new RelayPolicy({ limits, isProxy, allow })
  const gate = new Gate({ limits, isProxy })
  const strangers = allow == null ? undefined : new Strangers(allow)
  const stunServer = createSTUNServer({
    listen: stunListen,
    trustedProxies,
    maxConnections: limits.stunConnections,
    credential: init.stunCredential
  })
  await checkDialBackFrom(init.dialBackFrom ?? [])
  await stunServer.listen()

  try {
    const onRequest: RequestListener = (request, response) => { page.handle(request, response, false) }
    const node = await createNode({ ...init, listen }, limits, { policy, gate, isProxy, onRequest, stunServer })
    policy.watch(node)
    strangers?.watch(node)

    const close = async (): Promise<void> => {
      strangers?.close()
      gate.close()
      page.close()
      await Promise.all([node.stop(), stunServer.close()])
    }

    const helper: Helper = {
      node,
      stunServer,
      limits,
      access: {
        get members () { return allow?.size },
        networkKey: networkKey != null,
        stunCredential: init.stunCredential != null
      },
      refused: policy.refused,
      refusedConnections: gate.refused,
      get circuits () { return policy.circuits },
      get page () { return page },
      expelStrangers: () => { strangers?.expel() },
      drain: async deadline => {
        await policy.drain(deadline)
        await close()
      },
      close
    }
    const page = new StatusPage({
      ...init,
      certificate: init.certificate ?? autoTLSCertificate(node),
      helper,
      isProxy,
      programs: answerHelperMetrics(helper)
    })
    await node.start()
    page.prepare()

    return helper
  } catch (err) {
    await stunServer.close()
    throw err
  }
}

/**
 * Who decides which peers are served
 */
interface Access {
  policy: RelayPolicy
  gate: Gate
  isProxy(host: string): boolean

  /**
   * Answers requests over HTTP
   */
  onRequest: RequestListener

  /**
   * It answers on the port of the node too
   */
  stunServer: STUNServer
}

async function createNode (
  init: HelperInit & { listen: Endpoint[] },
  limits: HelperLimits,
  { policy, gate, isProxy, onRequest, stunServer }: Access
): Promise<Libp2p<HelperServices>> {
  const { listen, announce = [], externalIPs = [], networkKey, allow } = init
  const { webSockets = true, certificate, autoTLS, dialBackFrom } = init
  const addresses = [...listen.flatMap(endpoint => publicAddresses(endpoint, externalIPs, dialBackFrom)), ...announce]
  const isAuto = autoTLS != null && autoTLS !== false

  const certificateKind = isAuto ? 'auto' : certificate == null ? 'none' : 'own'

  if (isAuto) {
    checkAutoTLS(init, addresses)
  }

  const agents = new Agents(() => node.services.identify)
  const node: Libp2p<HelperServices> = await createLibp2p({
    start: false,
    privateKey: init.privateKey,
    ...networkKey != null && { connectionProtector: preSharedKey({ psk: networkKey }) },
    addresses: {
      listen: listen.map(endpoint => toMultiaddr(endpoint).toString()),
      // libp2p announces a public address only once it is confirmed, and there is
      // nobody to confirm the helper's
      appendAnnounce: webSockets
        ? addresses.flatMap(address => withWebSockets(address, certificateKind))
        : addresses,
      announceFilter: multiaddrs => announcedAddresses(multiaddrs, isAuto, dialBackFrom)
    },
    transports: [tcpSTUN({
      stunServers: [],
      // a NAT may admit every host that the client's port has contacted, so AutoNAT
      // dials from a port that no client knows
      portReuse: false,
      dialOpts: { localAddresses: dialBackFrom },
      webSockets: webSockets && {
        certificate,
        onRequest,
        onSTUN: socket => { stunServer.accept(socket) },
        hosts: ownNames(addresses, init.hostNames)
      },
      // a peer that only waits to be dialled is silent
      inboundSocketInactivityTimeout: 0,
      listenOpts: { keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_DELAY }
    })],
    connectionEncrypters: [noise()],
    // the peers send keep-alives, and are many
    streamMuxers: [yamux({ enableKeepAlive: false })],
    connectionMonitor: { enabled: false },
    connectionGater: {
      denyInboundConnection: async connection => gate.denies(connection),
      denyInboundUpgradedConnection: (_, connection) => {
        gate.upgraded(connection)

        return false
      },
      denyInboundRelayReservation: peer => !policy.admit(peer),
      denyOutboundRelayedConnection: source => !policy.isMember(source)
    },
    connectionManager: {
      addressDialTimeout: DIAL_TIMEOUT,
      // the gate limits inbound ones, by network too
      allow: EVERYBODY,
      maxConnections: limits.connections + limits.dials,
      maxParallelDials: limits.dials,
      maxDialQueueLength: limits.queuedDials
    },
    services: {
      connectionList: keptConnectionList(),
      noPeerStore: noPeerStore(),
      // answers, but asks nobody by itself: a helper has no use for what its peers support
      identify: identify({ runOnConnectionOpen: false }),
      ping: ping(),
      autoNAT: autoNATv2(),
      relay: circuitRelayServer(policy.relay),
      attestor: attestor({ isProxy }),
      ...isAuto && { autoTLS: await loadAutoTLS(autoTLS === true ? {} : autoTLS) },
      board: rendezvousServer({
        store: init.store,
        maxRegistrations: limits.registrations,
        maxRegistrationsPerAddress: limits.registrationsPerAddress,
        isProxy,
        allow: peer => allow?.has(peer) !== false,
        agentOf: async connection => agents.of(connection)
      })
    }
  })

  return node
}
