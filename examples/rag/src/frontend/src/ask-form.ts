import { LitElement, css, html, nothing } from 'lit';

interface Answer {
  answer: string;
  sources: string[];
}

const backend = import.meta.env.VITE_BACKEND_API_URI;

class AskForm extends LitElement {
  static override properties = { reply: { state: true } };
  static override styles = css`
    :host {
      display: block;
      max-width: 40rem;
      margin: 4rem auto;
      font-family: system-ui, sans-serif;
    }
    input {
      width: 75%;
    }
  `;

  declare reply: Answer | undefined;

  override render() {
    return html`
      <h1>Ask the harbour</h1>
      <form @submit=${this.ask}>
        <input name="question" placeholder="Until when is a booking held?" required />
        <button>Ask</button>
      </form>
      ${
        this.reply === undefined
          ? nothing
          : html`<p>${this.reply.answer}</p>
              <small>${this.reply.sources.join(', ')}</small>`
      }
    `;
  }

  private async ask(event: SubmitEvent) {
    event.preventDefault();
    const question = new FormData(event.target as HTMLFormElement).get('question');
    const response = await fetch(`${backend}/chat`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ question }),
    });
    this.reply = response.ok
      ? ((await response.json()) as Answer)
      : { answer: `The backend answered ${response.status}.`, sources: [] };
  }
}

customElements.define('ask-form', AskForm);
