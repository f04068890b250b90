package compare

import (
	"fmt"
	"strings"
)

// ltr keeps what begins with a sign or a digit from turning around.
func ltr(text string) string { return "&lrm;" + text }

var persianDigits = strings.NewReplacer("0", "۰", "1", "۱", "2", "۲", "3", "۳", "4", "۴", "5", "۵", "6", "۶", "7", "۷", "8", "۸", "9", "۹", ",", "٬")

var persian = words{
	top: func(r *report) string {
		node := ""
		if r.Node != "" {
			node = "، `Node " + r.Node + "`"
		}
		quick := ""
		if r.Quick {
			quick = "\nاین فقط نگاهی کوتاه بود: دورهایی کم و کوتاه. بازه‌ها پهن‌اند.\n"
		}
		return fmt.Sprintf(`<div dir="rtl">

# سنجش‌ها

سنجیده شده در `+"`%s` با `make bench` در کامیت `%s`: `%s`"+`، %s پردازنده، `+"`Linux %s`، `Go %s`"+`%s.

هر سرور روی یک پردازنده کار می‌کند (`+"`GOMAXPROCS=1`"+` و مقید به همان پردازنده) و بار، یعنی `+"`finch bench`"+`، روی پردازنده‌ای دیگر.
زمان پردازنده آن است که سیستم‌عامل به پای پردازهٔ سرور نوشته، با فراخوانی‌های سیستم و زباله‌روبی، تقسیم بر پیام‌هایی که در همان مدت
رسیده‌اند. حافظه همان حافظهٔ ساکن پردازه است، بدون آنچه هستهٔ سیستم‌عامل برای هر سوکت نگه می‌دارد که برای همه یکی است. سرورها در هر
دور به نوبت می‌آیند و ترتیبشان هر بار از نو با قرعه تعیین می‌شود. نسبت در درون هر دور گرفته می‌شود و بازه‌اش در ۹۵ بار از ۱۰۰ بار میانه را در
بر دارد (percentile bootstrap). نسبت‌ها را با هم بسنجید: زمان‌ها روی ماشین یا روزی دیگر چیز دیگری‌اند. فشرده‌سازی همه‌جا خاموش است.

فینچ در اکو با سوکت خام پاسخ می‌دهد، یا جایی که نوشته شده با پاکت؛ و در پخش همیشه با پاکت. `+"`Centrifuge` و `Socket.IO`"+` پاکت
خودشان را دارند و بقیه ندارند؛ هزینهٔ پاکت بخشی از عدد است. حلقهٔ خام فقط می‌خواند و می‌نویسد، هر تحویل را جداگانه: جایی که
چیزی برای نوشتنِ یک‌جا نیست، مرز کار همان است. سرورهای دیگر در `+"`bench/internal/peer` و `bench/node`"+` هستند.
%s`, r.Date, r.Commit, r.Processor, persianDigits.Replace(fmt.Sprint(r.CPUs)), r.Kernel, r.Go, node, quick)
	},
	bottom:  "\n</div>\n",
	missing: "سنجیده نشده",
	columns: [5]string{"سرور", "میانه", "نسبت به فینچ", "بازهٔ نسبت", "تأخیر p99"},
	caption: func(of rowWords, sockets string, rounds int) string {
		return fmt.Sprintf("%s: %s. %s دور؛ کمتر بهتر است.", of.what, strings.ReplaceAll(of.how, "{sockets}", persianDigits.Replace(sockets)), persianDigits.Replace(fmt.Sprint(rounds)))
	},
	figure:   ltr,
	interval: func(low, high string) string { return ltr(low + "–" + high) },
	faulty: func(title string, faulty, rounds int) string {
		return persianDigits.Replace(fmt.Sprintf("در %d دور از %d دور", faulty, rounds)) + "، " + title + " پیامی را گم کرد، دو بار یا نابه‌جا رساند، یا سوکتی را رها کرد."
	},
	titles: map[string]string{
		"finch": "**فینچ**", "finch-envelope": "**فینچ**، با پاکت", "finch-portable": "**فینچ**، موتور همه‌جایی",
		"raw": "حلقهٔ خام", "bun": "&lrm;Bun %s (uWebSockets)", "gws": "&lrm;gws %s",
		"gorilla": "&lrm;gorilla/websocket %s (hub)", "melody": "&lrm;melody %s", "coder": "&lrm;coder/websocket %s (hub)",
		"centrifuge": "&lrm;Centrifuge %s", "ws": "&lrm;ws %s (Node)", "socket.io": "&lrm;Socket.IO %s (Node)",
	},
	reasons: map[string]string{
		reasonNoNode:  "`Node` نصب نیست",
		reasonNoBun:   "برای این سکو در `npm` نیست",
		reasonOneOnly: "موتور این build فقط همین است",
	},
	rows: persianRows,
}
