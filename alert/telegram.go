package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/telegram"
)

// bot sends to Telegram's chats. The URL is shoutrrr's, the sending is ours: shoutrrr's reports success when Telegram cannot
// be reached, and an event would be lost.
type bot struct {
	cfg telegram.Config
}

// newBot returns a sender for telegram://TOKEN@telegram?chats=@channel,ID,ID:THREAD. It asks nobody.
func newBot(u *url.URL) (*bot, error) {
	b := &bot{telegram.Config{Preview: true, Notification: true}}
	return b, b.cfg.SetURL(u)
}

// telegramMessage is the body of Telegram's sendMessage.
type telegramMessage struct {
	Chat   string `json:"chat_id"`
	Thread int    `json:"message_thread_id,omitempty"`
	Text   string `json:"text"`
	Silent bool   `json:"disable_notification,omitempty"`
	Links  struct {
		Disabled bool `json:"is_disabled,omitempty"`
	} `json:"link_preview_options,omitzero"`
}

// send sends plain text to each chat. After an error all are told again.
func (b *bot) send(ctx context.Context, v View) error {
	for _, chat := range b.cfg.Chats {
		m := telegramMessage{Text: v.Title + "\n" + v.Text, Silent: !b.cfg.Notification}
		m.Links.Disabled = !b.cfg.Preview
		id, thread, _ := strings.Cut(chat, ":")
		m.Chat = id
		m.Thread, _ = strconv.Atoi(thread) // none if it is no number
		if err := b.post(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

func (b *bot) post(ctx context.Context, m telegramMessage) error {
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode the message: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://api.telegram.org/bot"+b.cfg.Token+"/sendMessage",
		bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	return answered(poster.Do(req))
}
