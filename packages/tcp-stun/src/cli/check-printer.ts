import { styleText } from 'node:util'
import { Help } from 'commander'
import { formatEndpoint } from 'libp2p-tcp-stun/net'
import yoctoSpinner from 'yocto-spinner'
import { addressLine, findingLines, heldLine, serverName, verdictText } from './check-text.ts'
import type { Line } from './check-text.ts'
import type { CheckReport, Progress } from '../check/check.ts'

/**
 * Wide enough for every label
 */
const LABEL_WIDTH = 14

const STEPS = {
  others: 'asking other addresses of the servers',
  hairpin: 'dialling the own public address',
  outside: 'having a peer outside dial in'
}

/**
 * Tells people what is going on. IP versions are checked at once and told one
 * after the other; on a terminal the last line says what is awaited.
 */
export class CheckPrinter {
  private readonly spinner = process.stdout.isTTY ? yoctoSpinner({ stream: process.stdout, handleSignals: false }) : undefined
  private readonly waiting: Progress[] = []
  private version?: 4 | 6
  private countdown?: NodeJS.Timeout

  onProgress (progress: Progress): void {
    this.version ??= progress.version

    // while connections are held every version has been told
    if (progress.version !== this.version && progress.event !== 'hold' && progress.event !== 'ended') {
      this.waiting.push(progress)
      return
    }

    this.print(progress)

    if (progress.event === 'findings') {
      this.version = this.waiting[0]?.version
      this.waiting.splice(0).forEach(progress => { this.onProgress(progress) })
    }
  }

  onReport (report: CheckReport): void {
    this.stop()
    // those that ended have been told
    const kept = report.families.flatMap(({ findings }) => findings.held ?? []).filter(({ ended }) => ended == null)
    kept.forEach(held => { this.line(heldLine(held)) })
    const { title, advice } = verdictText(report.verdict, report.families)
    this.write(`\n${this.paint(report.verdict.kind === 'anyone' ? 'success' : 'notable', title)}\n${this.wrap(advice, 0)}`)
  }

  /**
   * Leave the terminal as it was
   */
  stop (): void {
    clearInterval(this.countdown)
    this.spinner?.stop()
  }

  private print (progress: Progress): void {
    switch (progress.event) {
      case 'start': {
        const { version, port, servers, addresses } = progress
        this.write(`\n${this.paint('title', `IPv${version}`)}${port == null ? '' : `, from local port ${port}`}`)
        this.line(addressLine(addresses))

        if (port != null) {
          this.wait(`asking ${servers.length} STUN server${servers.length === 1 ? '' : 's'}`)
        }

        break
      }
      case 'answer': {
        const { server, endpoint, external } = progress.view
        this.line({ label: 'Server', text: `${serverName(server, endpoint)} sees ${formatEndpoint(external)}`, tone: 'plain' })
        break
      }
      case 'failure': {
        const { server, error: { message } } = progress.failure
        this.line({ label: 'No use', text: message.includes(server) ? message : `${server}: ${message}`, tone: 'bad' })
        break
      }
      case 'step':
        this.wait(STEPS[progress.step])
        break
      case 'findings':
        this.spinner?.stop()
        findingLines(progress.findings).forEach(line => { this.line(line) })
        break
      case 'hold':
        this.hold(progress.seconds)
        break
      default:
        this.line(heldLine(progress.held))
        break
    }
  }

  private hold (seconds: number): void {
    if (this.countdown != null) {
      return
    }

    const until = performance.now() + seconds * 1_000
    const tell = (): void => { this.wait(`holding the connections, ${Math.max(0, Math.round((until - performance.now()) / 1_000))} s left (Ctrl-C ends it)`) }
    this.write(`\nHolding the connections for ${seconds} s`)
    tell()
    this.countdown = setInterval(tell, 1_000)
  }

  private wait (text: string): void {
    if (this.spinner?.isSpinning === true) {
      this.spinner.text = `${text} ...`
    } else {
      this.spinner?.start(`${text} ...`)
    }
  }

  private line ({ label, text, tone }: Line): void {
    this.write(`  ${label.padEnd(LABEL_WIDTH)}${this.wrap(text, LABEL_WIDTH + 2, tone)}`)
  }

  private wrap (text: string, indent: number, tone: Line['tone'] = 'plain'): string {
    // some terminals say 0
    const columns = process.stdout.columns > 0 ? process.stdout.columns : 80
    const width = Math.min(100, columns) - indent - 1
    const lines = new Help().boxWrap(text, Math.max(20, width)).split('\n')

    return lines.map(line => this.paint(tone, line)).join(`\n${' '.repeat(indent)}`)
  }

  private paint (tone: Line['tone'] | 'success' | 'notable' | 'title', text: string): string {
    // hasColors() respects NO_COLOR
    return tone !== 'plain' && process.stdout.isTTY && process.stdout.hasColors() ? styleText(STYLES[tone], text, { validateStream: false }) : text
  }

  private write (text: string): void {
    process.stdout.write(`${text}\n`)
  }
}

const STYLES: Record<Exclude<Line['tone'], 'plain'> | 'success' | 'notable' | 'title', Parameters<typeof styleText>[0]> = {
  good: 'green',
  bad: 'red',
  success: ['bold', 'green'],
  notable: ['bold', 'yellow'],
  title: 'bold'
}
