import { formatEndpoint } from 'libp2p-tcp-stun/net'
import type { FamilyReport } from '../check/check.ts'
import type { Findings } from '../check/findings.ts'
import type { InconclusiveReason, NoAddressReason, Verdict } from '../check/verdict.ts'

export interface VerdictText {
  title: string

  /**
   * What it means, and what the user can do
   */
  advice: string
}

/**
 * The verdict in plain words
 */
export function verdictText (verdict: Verdict, families: FamilyReport[]): VerdictText {
  const findings = families.find(family => family.verdict.kind === verdict.kind)?.findings
  const external = findings?.external == null ? '' : formatEndpoint(findings.external)

  switch (verdict.kind) {
    case 'anyone':
      return {
        title: `Reachable by anyone at ${external}`,
        advice:
          'A stranger has dialled in. There is nothing to do: a node on this port can be dialled by every peer ' +
            'for as long as its mapping is held, which the transport does.'
      }
    case 'inconclusive':
      return inconclusiveText(verdict.because, external, findings)
    case 'hole-punching':
      return {
        title: `Reachable by hole punching only, at ${external}`,
        advice: holePunchingAdvice(findings?.direct === true)
      }
    case 'relay':
      return {
        title: 'Reachable by relay only',
        advice: 'Your NAT gives every destination another address, so there is none to announce, and a hole punch ' +
          'cannot know where to aim. Forward a port in your router, turn on UPnP, or use a ' +
          `relay.${findings?.version === 4 ? ' IPv6 needs no such NAT: ask your carrier for it.' : ''}`
      }
    case 'no-address':
      return noAddressText(verdict.because)
    default:
      return {
        title: 'This platform cannot share a TCP port',
        advice:
          'Nothing was tested. A listener and its connections to STUN servers have to share one port, which takes ' +
            'Linux and Node.js 22.12 or later. Here the transport works like @libp2p/tcp.'
      }
  }
}

function holePunchingAdvice (direct: boolean): string {
  const [obstacle, remedy] = direct
    ? ['There is no NAT, but a firewall keeps strangers out.', 'open the port in your firewall']
    : [
        'Every peer sees the same address, but your NAT keeps strangers out.',
        'forward the port in your router, or turn on UPnP'
      ]

  return `${obstacle} Peers get in by hole punching (DCUtR), which needs a relay that both sides can reach. To be ` +
    `reachable by anyone, ${remedy}.`
}

function inconclusiveText (because: InconclusiveReason, external: string, findings?: Findings): VerdictText {
  const found = `Public address found: ${external}.`
  const oneView =
    findings?.mapping === 'unknown' && !findings.direct
      ? ' Servers at only one address have answered, so other peers may see another port: name a second server ' +
        'with --server.'
      : ''
  const ask =
    'To find out, name a machine outside that runs "tcp-stun helper" with --helper, or any libp2p peer that ' +
      'serves AutoNAT v2 with --peer'

  switch (because) {
    case 'peer-contacted':
      return {
        title: `${found} Not tested by a stranger`,
        advice: 'The peer got in, but this port had contacted its host before, and some NATs admit only such ' +
          `hosts. ${ask}. It must not be on the host of your only --server.${oneView}`
      }
    case 'peer-failed':
      return {
        title: `${found} Not tested from outside`,
        advice: `The peer outside did not try to dial it, for the reason above.${oneView}`
      }
    case 'one-view':
      return {
        title: `Not reachable by anyone at ${external}`,
        advice: `A stranger could not dial in.${oneView} The second server decides whether hole punching can work.`
      }
    default:
      return {
        title: `${found} Not tested from outside`,
        advice: `${findings?.direct === true ? 'A firewall' : 'Your NAT'} may admit only hosts that you have ` +
          `contacted, which STUN cannot tell. ${ask}.${oneView}`
      }
  }
}

function noAddressText (because: NoAddressReason): VerdictText {
  switch (because) {
    case 'no-network':
      return { title: 'No network', advice: 'This machine has no address that reaches the internet. Is it connected?' }
    case 'no-server':
      return {
        title: 'No server to ask',
        advice: 'No STUN server has an address of this IP version. Name one that does with --server.'
      }
    case 'no-dns':
      return {
        title: 'No server name could be resolved',
        advice:
          'Is this machine online, and does its DNS resolver answer? A server can also be named by its IP address ' +
            'with --server.'
      }
    case 'nat64':
      return {
        title: 'Only a NAT64 address was found',
        advice:
          'This network has IPv6 only and reaches IPv4 servers through a NAT64. Nobody can dial the IPv4 address ' +
            'of a NAT64. Name a STUN server that has an IPv6 address with --server.'
      }
    case 'refused':
      return {
        title: 'The STUN servers refused to answer',
        advice:
          'They were reached, but answered with an error, for the reason above. Name a server that answers ' +
            'everybody with --server.'
      }
    default:
      return {
        title: 'No STUN server answered',
        advice:
          'Is this machine online, and does a firewall allow TCP to port 3478? Many public servers answer over ' +
            'UDP only: name one that answers over TCP with --server.'
      }
  }
}
