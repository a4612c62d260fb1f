import { askNodeCommand, checkAgain, checkFromOutside, commandName, nodePort } from './again.ts'
import type { CheckFlags } from './again.ts'
import type { Advice } from '../check/advice.ts'
import type { Findings } from '../check/findings.ts'
import type { FamilyReport } from '../check/verdict.ts'

export interface AdviceText {
  /**
   * What to do
   */
  text: string

  /**
   * The commands of which one shows whether it has helped
   */
  commands: string[]
}

/**
 * An advice in plain words, with the command that confirms it
 */
export function adviceText (advice: Advice, families: FamilyReport[], flags: CheckFlags): AdviceText {
  const { version } = advice
  const findings = families.find(({ findings }) => findings.version === version)?.findings
  const port = nodePort(flags)
  const withPort = ['--port', `${port}`]
  const nobody = { ...flags, helpers: [], peers: [] }

  switch (advice.do) {
    case 'second-server':
      return {
        text: 'Name a second STUN server, at another address. It shows whether every peer sees the same port.',
        commands: [checkAgain(flags, { version, more: ['-s stun:stun.example.net'] })]
      }
    case 'test-outside':
      return {
        text: 'Have somebody outside dial in: a machine of yours that runs "tcp-stun helper", or any public peer ' +
          'that serves AutoNAT v2, as Kubo nodes of IPFS do.',
        commands: [
          checkAgain(nobody, { more: ['--helper helper.example.org:4001'] }),
          checkAgain(nobody, { more: ['--peer /dnsaddr/peer.example.org'] })
        ]
      }
    case 'open-firewall':
      return {
        text: version === 6
          ? `Open TCP port ${port} to ${hostOf(findings)} in the IPv6 firewall of your router. IPv6 has no NAT, so ` +
            'nothing else is missing.'
          : `Open TCP port ${port} in the firewall of this machine, or of its network.`,
        commands: [checkFromOutside(flags, { version, more: withPort })]
      }
    case 'use-upnp':
      return {
        text: 'Your router offers UPnP: add uPnPNAT() of @libp2p/upnp-nat to the services of the node. It then ' +
          'announces the port that the router opens.',
        commands: [askNodeCommand(flags)]
      }
    case 'hole-punching':
      return {
        text: 'Let peers in by hole punching: give the node the listening address /p2p-circuit and the service ' +
          'dcutr() of libp2p-tcp-stun/dcutr.',
        commands: [askNodeCommand(flags)]
      }
    case 'relay':
      return {
        text: 'Let peers in by a relay: give the node the listening address /p2p-circuit. With the service dcutr() ' +
          'of libp2p-tcp-stun/dcutr the connection becomes direct where the peer is open, or this NAT predictable.',
        commands: [askNodeCommand(flags)]
      }
    case 'turn-on-upnp':
      return {
        text: `Turn on UPnP in your router. The line "Port mapping" then names it.${onlyIfPublic(findings)}`,
        commands: [`${commandName()} check -4`]
      }
    case 'forward-port':
      return {
        text: `Forward TCP port ${port} of your router to ${hostOf(findings)}, port ${port}.${onlyIfPublic(findings)}`,
        // a NAT that keeps ports has the mapping at the forwarded port
        commands: [checkFromOutside(flags, {
          version,
          more: keepsPort(findings) ? withPort : [...withPort, '--forwarded-port', `${port}`]
        })]
      }
    default:
      return {
        text: 'Ask your carrier for IPv6, or for a public IPv4 address: its NAT keeps strangers out, whatever your ' +
          'router does.',
        commands: [`${commandName()} check`]
      }
  }
}

function hostOf (findings?: Findings): string {
  return findings?.local?.host ?? 'this machine'
}

function keepsPort (findings?: Findings): boolean {
  return findings?.external != null && findings.external.port === findings.port
}

/**
 * A port of the router is of no use behind a second NAT, and whether there is one is
 * not always known
 */
function onlyIfPublic (findings?: Findings): string {
  const host = findings?.views[0]?.external.host

  return findings?.carrier.seen !== 'unknown' || findings.version === 6 || host == null
    ? ''
    : ` This helps only if the router's own page shows ${host} as its address.`
}
