import type { Session } from '@sesame/sdk'
import { html } from 'hono/html'

/** Text in these templates is escaped by `html`; styles and scripts run by the nonce alone. */
interface Page {
  nonce: string
}

export function signInPage({ nonce, wasEnded }: Page & { wasEnded: boolean }) {
  const note = wasEnded ? html`<p class="note">This session has ended. Sign in again.</p>` : ''
  return layout(
    nonce,
    html`
      <h1>Sign in</h1>
      ${note}
      <form class="card column" method="post" action="/sign-in">
        <label for="name">Any name will do</label>
        <input id="name" name="name" required pattern="[A-Za-z0-9_.\\-]{1,40}" autofocus
          autocomplete="username" placeholder="ada">
        <button class="primary">Sign in</button>
      </form>`,
  )
}

interface SessionsPage extends Page {
  userId: string
  /** Of this browser. */
  sessionId: string
  sessions: Session[]
}

export function sessionsPage({ nonce, userId, sessionId, sessions }: SessionsPage) {
  const own = sessions.filter(({ id }) => id === sessionId)
  const others = sessions.filter(({ id }) => id !== sessionId)
  const endOthers = html`
    <form method="post" action="/sessions/end-others">
      <button class="danger">End all others</button>
    </form>`
  return layout(
    nonce,
    html`
      <header>
        <div>
          <h1>Your sessions</h1>
          <p>Signed in as <strong>${userId}</strong></p>
        </div>
        <form method="post" action="/sign-out"><button>Sign out</button></form>
      </header>
      <ul>
        ${own.map(session => card(session, html`<span class="badge">This device</span>`))}
        ${others.map(session => card(session, endButton(session)))}
      </ul>
      ${others.length > 0 ? endOthers : html`<p>You are signed in nowhere else.</p>`}
      <script nonce="${nonce}">
        const events = new EventSource('/events')
        events.addEventListener('ended', () => { events.close(); location.reload() })
        // Closed for good: the server refused. Open again: it was only away.
        events.onerror = () => { if (events.readyState === EventSource.CLOSED) location.reload() }
      </script>`,
  )
}

export const unavailablePage = ({ nonce }: Page) =>
  layout(nonce, html`<h1>One moment</h1><p>Sessions cannot be checked right now. Try again.</p>`)

const endButton = ({ id, device }: Session) => html`
  <form method="post" action="/sessions/${id}/end">
    <button aria-label="End the session on ${device.name ?? 'an unknown device'}">End</button>
  </form>`

const card = (session: Session, action: ReturnType<typeof html>) => html`
  <li class="card">
    <span class="icon" aria-hidden="true">${ICONS[session.deviceType]}</span>
    <div class="grow">
      <strong>${session.device.name ?? 'Unknown device'}</strong>
      <p>${session.location ?? session.ipAddress ?? 'Unknown place'} · ${activity(session)}</p>
    </div>
    ${action}
  </li>`

const icon = (path: string) => html`
  <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.75"
    stroke-linecap="round" stroke-linejoin="round"><path d="${path}"/></svg>`

const SCREEN = icon('M3 4h18v12H3zM8 20h8M12 16v4')
const PHONE = icon('M7 2h10v20H7zM11 18.5h2')
const KEY = icon('M14 10a4 4 0 1 0-3.5 4L13 16.5h2v2h2v2h3.5v-3.5L13.5 12')
const ICONS = { desktop: SCREEN, mobile: PHONE, tablet: PHONE, bot: KEY, other: KEY }

function activity({ lastActiveAt }: Session): string {
  const minutes = Math.floor((Date.now() - Date.parse(lastActiveAt)) / 60_000)
  if (minutes < 2) return 'active now'
  const [count, unit] = minutes < 120 ? [minutes, 'minute'] : [Math.floor(minutes / 60), 'hour']
  const words = new Intl.RelativeTimeFormat('en')
  return count < 48 || unit === 'minute'
    ? `active ${words.format(-count, unit as 'minute' | 'hour')}`
    : `active ${words.format(-Math.floor(count / 24), 'day')}`
}

const layout = (nonce: string, body: ReturnType<typeof html>) => html`<!doctype html>
  <html lang="en">
    <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <title>Your sessions</title>
      <style nonce="${nonce}">
        :root { color-scheme: light dark; --line: light-dark(#dfe3ea, #343a46); --soft: light-dark(#667085, #98a2b3);
          --page: light-dark(#f6f7f9, #14161b); --card: light-dark(#fff, #1c1f27); --accent: #4f5bd5; --danger: light-dark(#b42318, #ff8a7a); }
        * { box-sizing: border-box; margin: 0; }
        body { font: 16px/1.5 system-ui, sans-serif; background: var(--page); padding: 3rem 1rem; }
        main { max-width: 38rem; margin: auto; display: grid; gap: 1.25rem; }
        h1 { font-size: 1.6rem; line-height: 1.2; }
        p { color: var(--soft); }
        header { display: flex; justify-content: space-between; align-items: center; gap: 1rem; }
        ul { list-style: none; padding: 0; display: grid; gap: .75rem; }
        .card { display: flex; align-items: center; gap: 1rem; padding: 1rem; background: var(--card);
          border: 1px solid var(--line); border-radius: .75rem; }
        .column { flex-direction: column; align-items: stretch; gap: .75rem; }
        .icon { display: flex; color: var(--soft); }
        .icon svg { width: 1.75rem; height: 1.75rem; }
        .grow { flex: 1; min-width: 0; overflow-wrap: anywhere; }
        .grow p { font-size: .875rem; }
        .badge { font-size: .8rem; padding: .2rem .6rem; border-radius: 1rem; white-space: nowrap;
          background: color-mix(in srgb, var(--accent) 15%, transparent); }
        .note { padding: .75rem 1rem; border-radius: .75rem; color: inherit;
          background: color-mix(in srgb, orange 18%, transparent); }
        button, input { font: inherit; padding: .5rem 1rem; border-radius: .5rem; border: 1px solid var(--line);
          background: var(--card); color: inherit; }
        button { cursor: pointer; }
        button:hover { border-color: var(--accent); }
        .primary { background: var(--accent); border-color: var(--accent); color: #fff; }
        .danger { color: var(--danger); }
      </style>
    </head>
    <body><main>${body}</main></body>
  </html>`
