"""The phrases that publishing programs add to every article, in the languages that their feeds are written in.

Each phrase is a regular expression for a whole line, for its last sentence, or for the text of a link; the text is on
one line and without the arrows, brackets and quotation marks around it. WordPress, Blogger, Medium, Substack,
Hacker News and Reddit write most of them.
"""

import re

ANY = ".{1,300}?"

APPEARED_FIRST = (
    rf"the (?:post|article|story|page|episode) {ANY} (?:first appeared|appeared first|was first published) (?:on|at) .+",
    r"(?:this|the) (?:post|article|story|piece) (?:was )?(?:originally|first) (?:published|appeared|posted) (?:on|at|by) .+",
    r"this (?:post|article|story|piece) (?:was )?originally (?:published|appeared) in .+",
    r"originally (?:published|posted|appeared) (?:on|at|in|by) .+",
    rf"{ANY} was originally published in .+ on medium\b.*",
    rf"(?:der|dieser) (?:beitrag|artikel|post)(?: {ANY})? (?:erschien|erscheint|wurde|ist) (?:zuerst|erstmals|zunächst|"
    r"ursprünglich)(?: erschienen| veröffentlicht)? (?:auf|bei|in) .+",
    rf"(?:der|dieser) (?:beitrag|artikel|post)(?: {ANY})? ist (?:auf|bei) .+ (?:zuerst )?erschienen",
    rf"(?:l['’]|cet )(?:article|billet|entrée)(?: {ANY})? (?:est apparu|a été publié|est paru|apparaît) en premier sur .+",
    rf"(?:la entrada|el artículo|el post|la noticia|esta entrada|este artículo)(?: {ANY})?"
    r" (?:se publicó|apareció|aparece|fue publicad[ao]) (?:primero|por primera vez|originalmente) en .+",
    rf"(?:l['’]articolo|il post|questo articolo)(?: {ANY})? (?:proviene da|sembra essere il primo su|è apparso"
    r" (?:per primo|per la prima volta|per prima) (?:su|in)|è stato pubblicato per la prima volta su) .+",
    rf"(?:het bericht|het artikel|dit bericht|dit artikel)(?: {ANY})? (?:verscheen|is) (?:als )?"
    r"(?:het eerst|eerste?|oorspronkelijk)(?: verschenen| gepubliceerd)? op .+",
    rf"(?:artykuł|post|wpis) {ANY} (?:pochodzi z serwisu|pojawił się po ?raz pierwszy w|pochodzi z) .+",
    rf"(?:o post|o artigo|o conteúdo|a publicação|o texto|este artigo|este post)(?: {ANY})?"
    r" (?:apareceu|aparece|foi publicad[ao]|surgiu) (?:primeiro|originalmente|pela primeira vez) (?:em|no|na) .+",
    rf"(?:inlägget {ANY} dök först upp på|indlægget {ANY} blev først (?:udgivet|vist) på|innlegget {ANY} dukket først opp"
    rf" på|artikkeli {ANY} julkaistiin ensimmäisen kerran|příspěvek {ANY} se nejdříve objevil na|articolul {ANY} apare"
    rf" prima dată în|(?:сообщение|запись) {ANY} (?:появились сначала на|впервые появилась)|запис {ANY} спершу з['’]явився"
    rf" на|το άρθρο {ANY} εμφανίστηκε πρώτα στο) .+",
    rf"投稿 ?{ANY} ?は ?{ANY}に最初に表示されました。?",
    r".{1,300}(?:最先出现在|最早出現於|最先出現在).+",
    r".{1,300} yazısı ilk önce .+ üzerinde ortaya çıktı",
)

# Invitations to read the article on its site.
READ_MORE = (
    r"(?:click|tap|go) here to (?:continue reading|read (?:more|on|the .{1,40}))|click here for more",
    r"(?:please )?(?:continue|keep) reading(?: (?:here|below|on .{1,60}|at .{1,60}|this .{1,30}|the .{1,40}))?",
    r"read (?:more|on|further)(?: (?:here|about .{1,100}|on .{1,60}|at .{1,60}|from .{1,60}|of .{1,60}|in .{1,60}))?",
    r"read (?:the |this )?(?:full |whole |entire |complete |original |rest of (?:the |this )){0,2}"
    r"(?:story|article|post|entry|piece|report|review|interview)(?: (?:here|on .{1,60}|at .{1,60}))?",
    r"(?:view|see|visit) (?:the )?(?:(?:full|entire|original|whole|complete) )+(?:article|post|story|entry|gallery|version)"
    r"(?: (?:here|on .{1,60}|at .{1,60}))?",
    r"full (?:story|article|post|details)|learn more|find out more|permalink|source link|original link",
    r"(?:hier |jetzt |jetzt lesen: )?weiter ?lesen(?: (?:auf|bei|in) .{1,60})?|mehr (?:lesen|erfahren|dazu|infos?)",
    r"(?:lesen|erfahren) sie (?:hier )?(?:mehr|weiter)(?: .{1,60})?|(?:zum|ganzen?|vollständigen|kompletten|den (?:ganzen|"
    r"vollständigen|kompletten)) (?:artikel|beitrag)(?: (?:hier )?(?:lesen|weiterlesen))?|artikel lesen|mehr .{1,40} lesen",
    r"lire (?:la suite|plus|davantage|l['’]article(?: complet| entier)?)(?: (?:de|sur) .{1,200})?|en savoir plus",
    r"(?:continuer|poursuivre) (?:la|votre|à) ?(?:lecture|lire)(?: (?:de|sur) .{1,200})?|voir plus|lisez la suite",
    r"(?:leer|lee|ver|saber) más(?: (?:sobre|en|de) .{1,100})?|(?:seguir|sigue|siga|continuar|continúa|continúe) leyendo"
    r"(?: .{1,200})?|leer (?:el |la )?(?:artículo|noticia|entrada|nota)(?: complet[ao])?(?: en .{1,60})?|más información",
    r"leggi (?:tutto|di più|ancora|altro|l['’]articolo(?: completo)?)(?: .{1,200})?|continua (?:a leggere|la lettura)"
    r"(?: (?:su|di) .{1,100})?|prosegui la lettura|scopri di più|per saperne di più",
    r"(?:lees|verder|meer) (?:meer|verder|lezen)(?: (?:over|op|bij) .{1,100})?|lees (?:het )?(?:hele |volledige )?(?:artikel|"
    r"bericht|verhaal)",
    r"czytaj (?:więcej|dalej|całość)(?: .{1,100})?|przeczytaj (?:więcej|całość)|dowiedz się więcej",
    r"(?:leia|ler|ver|saber|saiba) mais(?: (?:sobre|em|no|na) .{1,100})?|(?:continuar|continue) (?:a ler|lendo|lendo em)"
    r"(?: .{1,200})?|leia (?:a|o) (?:matéria|artigo|texto|notícia|post)(?: complet[ao])?(?: .{1,60})?",
    r"läs (?:mer|vidare|hela .{1,40})|fortsätt läsa|læs (?:mere|videre|hele .{1,40})|les (?:mer|videre|hele .{1,40})|fortsett å"
    r" lese|lue lisää|jatka lukemista|číst (?:více|dále|dál)|pokračovat ve čtení|celý článek|čítať ďalej",
    r"читать (?:далее|дальше|полностью|ещё|еще)(?: .{1,100})?|читати далі|devamını oku|tovább"
    r" olvasom|olvass? tovább|cite(?:ș|s|ş)te (?:mai mult|mai departe|articolul .{1,40})|διαβάστε (?:περισσότερα|τη συνέχεια)",
    r"続きを(?:読む|見る)|もっと(?:読む|見る)|阅读(?:更多|全文)|继续阅读|閱讀(?:更多|全文)|繼續閱讀|查看全文|더 (?:보기|읽기)|계속 읽기|اقرأ المزيد"
    r"|أكمل القراءة|إقرأ المزيد|קרא עוד|להמשך קריאה|और पढ़ें|आगे पढ़ें",
)
# Before the article's title, which follows in a link.
BEFORE_TITLE = (
    r"(?:continue reading|read the rest of|read more|read full|weiterlesen|lire la suite|continuer la lecture|poursuivre la"
    r" lecture|seguir leyendo|leer más|continua a leggere|leggi tutto|lees verder|verder lezen|lees meer|czytaj dalej|czytaj"
    r" więcej|continuar a ler|continue a ler|continue lendo|leia mais|läs mer|читать далее)"
)
CONTINUE = (rf"{BEFORE_TITLE}\b.{{0,300}}",)
QUOTED_TITLE = (rf"{BEFORE_TITLE} (?:of |about |de )?[\"“„«].{{1,300}}",)

# Single words that say so only in a link.
MORE = (
    r"(?:more|details|weiter|mehr|(?:la )?suite|más|continu[ae]|altro|meer|verder|więcej|mais|mer|mere|подробнее|далее"
    r"|детальніше|tovább|المزيد|もっと|更多|더보기)",
)

COMMENTS = (
    r"(?:view |read |see |post |add |leave |write |show )?(?:a |all |the |your |no )?(?:\d+ )?comments?"
    r"(?: \(\d+\)?| ?: ?\d+| on .{1,200}| here)?",
    r"join the (?:discussion|conversation)(?: .{1,60})?|discuss(?: (?:this|on|in) .{0,60})?|reply via e-?mail",
    r"(?:\d+ )?(?:kommentare?|kommentieren|kommentar (?:schreiben|hinterlassen)|commentaires?|laisser un commentaire"
    r"|comentarios?|deja un comentario|dejar un comentario|commenti|commento|lascia un commento|reacties?|geef een reactie"
    r"|komentarze|komentarzy|dodaj komentarz|comentários?|deixe um comentário|deixar um comentário|комментари[ий]|コメント"
    r"|评论|評論)(?: ?\(?\d+\)?)?",
)
# What Hacker News and Reddit offer as the text of an item.
FORUMS = (
    r"(?:article|comments) url: ?\S+|points: ?\d+|# ?comments: ?\d+",
    r"article url: ?\S+ comments url: ?\S+ points: ?\d+ # ?comments: ?\d+",
    r"submitted by /?u/\S+(?: to /?r/\S+)?(?: \[?link\]?)?(?: \[?comments\]?)?|(?:link\] ?\[)?comments|link",
)

# Headings and buttons of sharing, as text; then what stands only in links.
SHARE_TEXT = (
    r"share this(?: post| article| story| page)? ?:?|share (?:on|via) .{1,40}|like this ?:?|like loading|loading"
    r"|click to (?:share|email|print) .{1,120}|opens in new window|tweet this|copy link",
    r"(?:beitrag |artikel )?teilen(?: (?:auf|mit|via|per) .{1,40})? ?:?|partager(?: (?:sur|cet) .{1,40})? ?:?|compartir"
    r"(?: en .{1,40})? ?:?|compártelo ?:?|condividi(?: su .{1,40}|:)|deel dit.{0,40}|udostępnij(?: na .{1,40})? ?:?"
    r"|compartilhe(?: .{1,40})? ?:?|partilhar(?: .{1,40})? ?:?|me gusta esto ?:?|gefällt mir ?:?",
)
SHARE_LINKS = (
    r"share|tweet|pin(?: it)?|like|print|e-?mail(?: this.{0,40})?|add to .{1,30}|blog ?this!?|save to .{1,30}|forward"
    r"|follow (?:us|me|@\S+)(?: on .{1,60})?|subscribe(?: now)?|permalink|link|source",
    r"facebook|twitter|x|linkedin|whatsapp|pinterest|telegram|reddit|tumblr|mastodon|bluesky|threads|instagram|youtube"
    r"|pocket|xing|flipboard|digg|del\.icio\.us|stumbleupon|google\+|messenger|vk|line|skype|mix|rss",
    r"drucken|versenden|merken|imprimer|stampa|mi piace|delen(?: op .{1,40})?|lubię to|j['’]aime|dela|del",
)

# Requests to subscribe, advertisements, credits and labels: whole lines of text.
NOTICES = (
    r"(?:please )?(?:sign ?up|subscribe|register|join)\b.{0,60}\b(?:newsletters?|mailing list|email list)\b.{0,80}",
    r"get .{1,60}\b(?:in|to) your inbox\b.{0,60}|subscribe(?: now)?|thanks for reading\b.{0,200}\bsubscribe\b.{0,120}",
    r".{1,100} is a reader-supported publication\b.{0,200}",
    r"(?:jetzt |hier |unseren |den |zum |für ){0,4}newsletter.{0,30} (?:abonnieren|bestellen|anmelden|anfordern)\b.{0,60}"
    r"|(?:abonnieren|melden) sie .{0,40}newsletter.{0,80}|(?:melde dich|abonniere) .{0,40}newsletter.{0,80}",
    r"(?:abonnez-vous|inscrivez-vous|recevez) .{0,40}(?:newsletter|infolettre|lettre d['’]information)\b.{0,80}",
    r"(?:suscríbete|suscríbase|apúntate|recibe|regístrate) .{0,40}(?:newsletter|boletín|boletines)\b.{0,80}",
    r"(?:iscriviti|iscrivetevi|ricevi|abbonati) .{0,40}newsletter\b.{0,80}",
    r"(?:schrijf je|meld je|abonneer je|ontvang) .{0,40}(?:nieuwsbrief|newsletter)\b.{0,80}",
    r"(?:zapisz się|zasubskrybuj|subskrybuj) .{0,40}newsletter\w*\b.{0,80}",
    r"(?:assine|subscreva|inscreva-se|receba|cadastre-se) .{0,40}(?:newsletter|boletim)\b.{0,80}",
    r"advertisement|sponsored(?: content)?|anzeige|werbung|publicité|publicidad|pubblicità|advertentie|reklama|publicidade"
    r"|(?:article|story) continues below.{0,40}|scroll to continue.{0,40}",
    r"(?:photos?|images?|illustrations?|header image|featured image|lead image|cover (?:photo|image)|photo illustration)"
    r"(?: (?:by|courtesy of|via|credit):?| ?:) ?.{1,80}|(?:photo |image )?(?:credits?|source) ?: ?.{1,80}",
    r"(?:foto|fotos|bild|bilder|symbolbild|titelbild|bildquelle|bildnachweis|crédits?(?: photo)?|créditos?|imagen|immagine"
    r"|beeld|zdjęcie|fot\.|imagem) ?[:©/] ?.{1,80}",
    r"(?:©|\(c\)|copyright) ?.{1,120}",
    r"view (?:this post )?on (?:instagram|twitter|x|facebook|tiktok|youtube)|watch (?:this video )?on youtube",
    r"your browser does not support .{1,80}|(?:to view|please enable) .{1,60}javascript.{0,120}|skip to (?:main )?content",
    r"if the formatting looks odd in your feed reader, visit the original article|the feed (?:is for|only contains) .{1,160}",
    r"related(?: (?:posts?|articles?|stories|reading|links?|content))? ?:?|you (?:may|might) also (?:like|enjoy) ?:?"
    r"|ähnliche (?:beiträge|artikel) ?:?|articles similaires ?:?|entradas relacionadas ?:?|articoli correlati ?:?"
    r"|gerelateerde (?:berichten|artikelen) ?:?|powiązane(?: wpisy)? ?:?|artigos relacionados ?:?",
)
# Before the links to an article's categories.
LABELS = (
    r"filed (?:under|to)|posted in|tagged(?: with| as)?|tags?|categor(?:y|ies)|topics?|schlagwörter|schlagworte|kategorien?"
    r"|étiquettes?|catégories?|etiquetas?|categorías?|tagi|kategorie|categorie[ën]?|categorias?",
)


def compiled(*groups: tuple[str, ...]) -> re.Pattern[str]:
    """Return one expression for all phrases of the groups, without regard to case."""
    return re.compile("|".join(f"(?:{phrase})" for group in groups for phrase in group), re.IGNORECASE)
