import { EXIT_CODES } from '../check/verdict.ts'
import type { Line } from './check-text.ts'
import type { VerdictText } from './verdict-text.ts'
import type { NodeReport } from '../check/ask-node.ts'
import type { Verdict } from '../check/verdict.ts'

/**
 * What a running node thinks of itself, by what it announces: it knows more than a
 * check, which tests another port
 */
export type NodeVerdict = Extract<Verdict['kind'], 'anyone' | 'hole-punching' | 'relay' | 'inconclusive'>

export function nodeVerdict ({ announced, relayed, holePunching }: NodeReport): NodeVerdict {
  if (announced.length > 0) {
    return 'anyone'
  }

  if (relayed.length === 0) {
    return 'inconclusive'
  }

  return holePunching ? 'hole-punching' : 'relay'
}

export function nodeLines ({ address, id, agent, announced, relayed, holePunching }: NodeReport): Line[] {
  const list = (addresses: string[], none: string): Pick<Line, 'text' | 'tone'> => addresses.length > 0
    ? { text: addresses.join(', '), tone: 'good' }
    : { text: none, tone: 'plain' }

  return [
    { label: 'Asked at', text: address, tone: 'plain' },
    { label: 'Peer', text: id, tone: 'plain' },
    ...(agent == null ? [] : [{ label: 'Software', text: agent, tone: 'plain' } satisfies Line]),
    { label: 'Announces', ...list(announced, 'no public address') },
    { label: 'Relays', ...list(relayed.map(relayOf), 'none') },
    { label: 'Hole punching', text: holePunching ? 'yes (DCUtR)' : 'no: the node has no DCUtR service', tone: 'plain' }
  ]
}

export function nodeVerdictText (report: NodeReport): VerdictText {
  switch (nodeVerdict(report)) {
    case 'anyone':
      return {
        title: 'The node announces a public address',
        explanation: 'A node with libp2p-tcp-stun does so once it knows that strangers can dial it, unless it is ' +
          'told to announce always.'
      }
    case 'hole-punching':
      return {
        title: 'Reachable by hole punching only',
        explanation: 'The node announces addresses at relays, and takes part in hole punching. It has not found that ' +
          'strangers can dial it.'
      }
    case 'relay':
      return {
        title: 'Reachable through a relay only',
        explanation: 'The node announces addresses at relays. With dcutr() of libp2p-tcp-stun/dcutr peers get in ' +
          'directly.'
      }
    default:
      return {
        title: 'The node announces no public address',
        explanation: 'It has none, or nobody has tested it yet: that takes autoNATv2() and peers outside. For peers ' +
          'behind a NAT it needs the listening address /p2p-circuit and dcutr() too.'
      }
  }
}

/**
 * What the command ends with
 */
export function nodeExitCode (report: NodeReport): number {
  return EXIT_CODES[nodeVerdict(report)]
}

/**
 * The long form has the node's own id once more
 */
function relayOf (address: string): string {
  return address.replace(/\/p2p-circuit\/p2p\/\w+$/, '/p2p-circuit')
}
