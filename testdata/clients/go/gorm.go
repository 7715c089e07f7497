package main

import (
	"errors"
	"time"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"
)

type gormUser struct {
	ID        uint   `gorm:"primaryKey"`
	Email     string `gorm:"size:90;uniqueIndex;not null"`
	Kind      string `gorm:"type:varchar(10);default:plain;check:kind in ('plain','admin')"`
	Balance   float64
	Data      map[string]any `gorm:"serializer:json;type:jsonb"`
	CreatedAt time.Time
	DeletedAt gorm.DeletedAt `gorm:"index"`
	Posts     []gormPost     `gorm:"foreignKey:UserID;constraint:OnDelete:CASCADE"`
	Tags      []gormTag      `gorm:"many2many:gorm_user_tags"`
}

type gormPost struct {
	ID     uint64
	UserID uint   `gorm:"index:idx_user_title,priority:1"`
	Title  string `gorm:"index:idx_user_title,priority:2;comment:the title"`
	Token  string `gorm:"type:uuid;default:gen_random_uuid()"`
}

type gormTag struct {
	Name string `gorm:"primaryKey"`
}

func gormSuite() (string, string, []check) {
	db := get(gorm.Open(postgres.Open(url), &gorm.Config{Logger: logger.Discard, TranslateError: true}))
	models := []any{&gormUser{}, &gormPost{}, &gormTag{}}
	return "GORM", "gorm.io/gorm", []check{
		{"migrate", func() { must(db.AutoMigrate(models...)) }},
		{"migrate again", func() { must(db.AutoMigrate(models...)) }},
		{"create and find", func() {
			u := gormUser{Email: "a@b", Data: map[string]any{"k": 1.0}, Posts: []gormPost{{Title: "t1"}, {Title: "t2"}}, Tags: []gormTag{{"x"}, {"y"}}}
			must(db.Create(&u).Error)
			equal("plain", u.Kind)
			var got gormUser
			must(db.Preload("Posts").Preload("Tags").First(&got, "email = ?", "a@b").Error)
			equal(2, len(got.Posts))
			equal(2, len(got.Tags))
			equal(map[string]any{"k": 1.0}, got.Data)
			equal(36, len(got.Posts[0].Token))
		}},
		{"upsert", func() {
			u := gormUser{Email: "a@b", Balance: 7}
			must(db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "email"}}, DoUpdates: clause.AssignmentColumns([]string{"balance"})}, clause.Returning{}).Create(&u).Error)
			equal(7.0, u.Balance)
		}},
		{"queries", func() {
			var n int64
			must(db.Model(&gormUser{}).Joins("left join gorm_posts p on p.user_id = gorm_users.id").Where("p.title like ?", "t%").Group("gorm_users.id").Count(&n).Error)
			var out []struct {
				Email string
				N     int
			}
			must(db.Model(&gormUser{}).Select("email, count(*) as n").Joins("join gorm_posts p on p.user_id = gorm_users.id").Group("email").Having("count(*) > ?", 1).Scan(&out).Error)
			equal(2, out[0].N)
			must(db.Where("id in (?)", db.Model(&gormPost{}).Select("user_id")).First(&gormUser{}).Error)
			must(db.FirstOrCreate(&gormUser{}, gormUser{Email: "c@d"}).Error)
		}},
		{"batches", func() {
			posts := make([]gormPost, 250)
			for i := range posts {
				posts[i] = gormPost{UserID: 1, Title: "batch"}
			}
			must(db.CreateInBatches(posts, 100).Error)
			var batch []gormPost
			n := 0
			must(db.Where("title = ?", "batch").FindInBatches(&batch, 60, func(*gorm.DB, int) error { n += len(batch); return nil }).Error)
			equal(250, n)
		}},
		{"transactions", func() {
			errBack := errors.New("back")
			err := db.Transaction(func(tx *gorm.DB) error {
				must(tx.Create(&gormUser{Email: "e@f"}).Error)
				inner := tx.Transaction(func(t2 *gorm.DB) error { return t2.Create(&gormUser{Email: "a@b"}).Error })
				if !errors.Is(inner, gorm.ErrDuplicatedKey) {
					panic(failure{inner})
				}
				must(tx.Clauses(clause.Locking{Strength: "UPDATE"}).Find(&[]gormUser{}).Error)
				return errBack
			})
			equal(true, errors.Is(err, errBack))
			var n int64
			must(db.Model(&gormUser{}).Where("email = ?", "e@f").Count(&n).Error)
			equal(int64(0), n)
		}},
		{"errors", func() {
			equal(true, errors.Is(db.Create(&gormUser{Email: "a@b"}).Error, gorm.ErrDuplicatedKey))
			equal(true, errors.Is(db.Create(&gormPost{UserID: 9999}).Error, gorm.ErrForeignKeyViolated))
			equal(true, errors.Is(db.Create(&gormUser{Email: "k", Kind: "zz"}).Error, gorm.ErrCheckConstraintViolated))
		}},
		{"soft delete", func() {
			must(db.Where("email = ?", "c@d").Delete(&gormUser{}).Error)
			equal(true, errors.Is(db.First(&gormUser{}, "email = ?", "c@d").Error, gorm.ErrRecordNotFound))
			must(db.Unscoped().First(&gormUser{}, "email = ?", "c@d").Error)
		}},
		{"migrator", func() {
			m := db.Migrator()
			equal(true, m.HasTable(&gormPost{}))
			equal(true, m.HasIndex(&gormPost{}, "idx_user_title"))
			cols := get(m.ColumnTypes(&gormUser{}))
			length, _ := cols[1].Length()
			equal(int64(90), length)
			must(m.AddColumn(&struct {
				gormTag
				Extra int `gorm:"default:3"`
			}{}, "Extra"))
			must(m.RenameColumn(&gormTag{}, "extra", "more"))
			must(m.DropColumn(&gormTag{}, "more"))
			indexes := get(m.GetIndexes(&gormPost{}))
			equal(true, len(indexes) >= 1)
			get(m.GetTables())
		}},
		{"drop", func() { must(db.Migrator().DropTable("gorm_user_tags", &gormPost{}, &gormTag{}, &gormUser{})) }},
	}
}

func (gormUser) TableName() string { return "gorm_users" }
func (gormPost) TableName() string { return "gorm_posts" }
func (gormTag) TableName() string  { return "gorm_tags" }
