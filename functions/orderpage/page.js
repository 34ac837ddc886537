const said = document.getElementById('said')
for (const button of document.querySelectorAll('[data-copy]')) {
  button.hidden = false
  button.onclick = async () => {
    const scope = button.dataset.copy ? document : button.parentElement
    const keys = Array.from(scope.querySelectorAll('.key'), (key) => key.textContent)
    const before = button.textContent
    try {
      await navigator.clipboard.writeText(keys.join('\n'))
    } catch {
      getSelection().selectAllChildren(scope.querySelector('.key'))
      return
    }
    button.textContent = said.textContent = said.dataset.copied
    setTimeout(() => { button.textContent = before; said.textContent = '' }, 2000)
  }
}
