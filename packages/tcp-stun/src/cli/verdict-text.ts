import { formatEndpoint } from 'libp2p-tcp-stun/net'
import type { Findings } from '../check/findings.ts'
import type { InconclusiveReason, NoAddressReason, Verdict } from '../check/verdict.ts'

export interface VerdictText {
  title: string

  /**
   * What it means
   */
  explanation: string
}

const UNSUPPORTED: VerdictText = {
  title: 'This platform cannot share a TCP port',
  explanation: 'Nothing was tested. A listener and its connections to STUN servers have to share one port, which ' +
    'takes Linux and Node.js 22.12 or later. Here the transport works like @libp2p/tcp.'
}

/**
 * The verdict for one IP version in plain words
 */
export function verdictText (verdict: Verdict, findings?: Findings): VerdictText {
  const external = findings?.external == null ? '' : formatEndpoint(findings.external)

  switch (verdict.kind) {
    case 'anyone':
      return anyoneText(external, findings)
    case 'inconclusive':
      return inconclusiveText(verdict.because, external, findings)
    case 'hole-punching':
      return {
        title: `Reachable by hole punching only, at ${external}`,
        explanation: `${findings?.direct === true
          ? 'There is no NAT, but a firewall keeps strangers out.'
          : 'Every peer sees the same address, but your NAT keeps strangers out.'} ` +
          'Peers get in by hole punching (DCUtR), which needs a relay that both sides can reach.'
      }
    case 'relay':
      return {
        title: 'Reachable through a relay only',
        explanation: 'Your NAT gives every destination another address, so there is none to announce.'
      }
    case 'no-address':
      return noAddressText(verdict.because, findings?.version)
    default:
      return UNSUPPORTED
  }
}

function anyoneText (external: string, findings?: Findings): VerdictText {
  const dialed = findings?.dialed == null ? external : formatEndpoint(findings.dialed)
  const next = dialed !== external
    ? 'Have the node announce this address: the router forwards it, whatever the NAT does (addresses.appendAnnounce).'
    : findings?.direct === true
      ? 'There is nothing to do: a node on this port can be dialled by every peer.'
      : 'There is nothing to do: a node on this port can be dialled by every peer for as long as its mapping is ' +
        'held, which the transport does.'

  return { title: `Reachable by anyone at ${dialed}`, explanation: `A stranger has dialled in. ${next}` }
}

function inconclusiveText (because: InconclusiveReason, external: string, findings?: Findings): VerdictText {
  const untested = `Public address found, not tested from outside: ${external}`
  const oneView = findings?.mapping === 'unknown' && !findings.direct
    ? ' Servers at only one address have answered, so other peers may see another port.'
    : ''

  switch (because) {
    case 'peer-contacted':
      return {
        title: `Public address found, not tested by a stranger: ${external}`,
        explanation: 'The peer got in, but this port had contacted its host before, and some NATs admit only such ' +
          `hosts. It must not be on the host of your only STUN server.${oneView}`
      }
    case 'peer-failed':
      return {
        title: untested,
        explanation: `The peer outside did not try to dial it, for the reason above.${oneView}`
      }
    case 'one-view':
      return {
        title: `Strangers are kept out at ${external}`,
        explanation: `A stranger could not dial in.${oneView} So it is not known whether hole punching can work.`
      }
    case 'forward-failed':
      return {
        title: 'The forwarded port does not work' +
          (findings?.dialed == null ? '' : `: ${formatEndpoint(findings.dialed)}`),
        explanation: 'A stranger could not dial in there. Does the router forward it to this machine and to the ' +
          'port that was checked?'
      }
    default:
      return {
        title: untested,
        explanation: `${findings?.direct === true ? 'A firewall' : 'Your NAT'} may admit only hosts that you have ` +
          `contacted, which STUN cannot tell.${oneView}`
      }
  }
}

function noAddressText (because: NoAddressReason, version?: 4 | 6): VerdictText {
  const family = version == null ? '' : `IPv${version} `

  switch (because) {
    case 'no-network':
      return {
        title: `No ${family}network`,
        explanation: `This machine has no ${family}address beyond link-local ones. Confirm: ip -${version ?? 4} address`
      }
    case 'no-server':
      return {
        title: 'No server to ask',
        explanation: `No STUN server has an ${family}address. Name one that does with --server.`
      }
    case 'no-dns':
      return {
        title: 'No server name could be resolved',
        explanation: 'Is this machine online, and does its DNS resolver answer? Confirm: getent hosts example.org. ' +
          'A server can also be named by its IP address with --server.'
      }
    case 'nat64':
      return {
        title: 'Only a NAT64 address was found',
        explanation: 'This network has IPv6 only and reaches IPv4 servers through a NAT64. Nobody can dial the IPv4 ' +
          'address of a NAT64. Name a STUN server that has an IPv6 address with --server.'
      }
    case 'refused':
      return {
        title: 'The STUN servers refused to answer',
        explanation: 'They were reached, but answered with an error, for the reason above. Name a server that ' +
          'answers everybody with --server.'
      }
    case 'unusable':
      return {
        title: 'No STUN server gave a usable answer',
        explanation: 'They were reached, but what they answered is of no use, for the reason above. Check host and ' +
          'port, or name another server with --server.'
      }
    default:
      return {
        title: 'No STUN server answered',
        explanation: 'Is this machine online, and does a firewall allow TCP to port 3478? Many public servers answer ' +
          'over UDP only: name one that answers over TCP with --server, like stuns:stun.example.org:443.'
      }
  }
}
