/**
 * What runs in the browser. It is sent as its own source, so it must not use anything
 * from outside.
 */
export function client (): void {
  const RETRY = 30_000
  const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' })
  const live = document.getElementById('live')
  let source: EventSource | undefined
  let retryTimer: ReturnType<typeof setTimeout> | undefined

  showTimes(document)
  setInterval(() => { showTimes(document) }, 1_000)
  document.addEventListener('click', event => {
    const button = event.target instanceof Element ? event.target.closest('button') : null

    if (button?.dataset.copy != null) {
      void copy(button, document.getElementById(button.dataset.copy))
    }
  })
  // a page that nobody looks at takes up no connection of the helper
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) {
      stop()
    } else {
      follow()
    }
  })
  follow()

  function follow (): void {
    stop()
    source = new EventSource('/events')
    source.addEventListener('open', () => { showState('live', 'Live') })
    source.addEventListener('sections', event => { JSON.parse(event.data).forEach(replace) })
    source.addEventListener('error', () => {
      showState('stale', 'Connection lost, the figures are old')

      // the browser tries again by itself, but not after an error status
      if (source?.readyState === EventSource.CLOSED) {
        retryTimer = setTimeout(follow, RETRY)
      }
    })
  }

  function stop (): void {
    clearTimeout(retryTimer)
    source?.close()
    source = undefined
  }

  function showState (name: string, text: string): void {
    if (live != null && live.textContent !== text) {
      live.className = name
      live.textContent = text
    }
  }

  /**
   * What the user has opened stays open
   */
  function replace ({ id, version, html }: { id: string, version: string, html: string }): void {
    const section = document.getElementById(id)

    if (section == null || section.dataset.version === version) {
      return
    }

    const open = [...section.querySelectorAll('details')].map(details => details.open)
    const scrolled = [...section.querySelectorAll('.scroll')]
      .map(({ scrollLeft, scrollTop }) => ({ scrollLeft, scrollTop }))
    const { activeElement } = document
    const isFocused = section.contains(activeElement)
    const focusable = 'button, summary, a, [tabindex]'
    const focus = isFocused ? [...section.querySelectorAll(focusable)].indexOf(activeElement as Element) : -1
    section.innerHTML = html
    section.dataset.version = version
    section.querySelectorAll('details').forEach((details, i) => { details.open = open[i] ?? false })
    section.querySelectorAll('.scroll').forEach((element, i) => { Object.assign(element, scrolled[i]) })
    showTimes(section)

    if (isFocused) {
      section.querySelectorAll<HTMLElement>(focusable)[focus]?.focus({ preventScroll: true })
    }
  }

  function showTimes (parent: ParentNode): void {
    parent.querySelectorAll<HTMLTimeElement>('time:not([data-fixed])').forEach(element => {
      const text = ago(Date.parse(element.dateTime))

      if (element.textContent !== text) {
        element.title = element.dateTime
        element.textContent = text
      }
    })
  }

  function ago (time: number): string {
    const seconds = Math.min(0, (time - Date.now()) / 1_000)

    for (const [unit, length] of [['day', 86_400], ['hour', 3_600], ['minute', 60]] as const) {
      if (-seconds >= length) {
        return relative.format(Math.trunc(seconds / length), unit)
      }
    }

    return -seconds < 10 ? 'just now' : relative.format(10 * Math.trunc(seconds / 10), 'second')
  }

  /**
   * Pages on http may not write to the clipboard, but may copy what is selected
   */
  async function copy (button: HTMLElement, element: HTMLElement | null): Promise<void> {
    if (element == null) {
      return
    }

    let isCopied = false

    if (window.isSecureContext) {
      isCopied = await navigator.clipboard.writeText(element.textContent ?? '').then(() => true, () => false)
    }

    if (!isCopied) {
      getSelection()?.selectAllChildren(element)
      isCopied = document.execCommand('copy')
    }

    button.textContent = isCopied ? 'Copied' : 'Selected'
    setTimeout(() => { button.textContent = 'Copy' }, 2_000)
  }
}
